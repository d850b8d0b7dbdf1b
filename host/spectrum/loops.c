/* loops.c - the vector loops of a dense symmetric eigenvalue problem, by instruction set. */
#include "spectrum/loops.h"

#define DECLARE(name) extern const struct mm_spectrum_loops mm_spectrum_loops_##name;
MM_INSTRUCTIONS_LIST(DECLARE)
#undef DECLARE

const struct mm_spectrum_loops *mm_spectrum_loops(enum mm_instructions instructions)
{
#define ROW(name) &mm_spectrum_loops_##name,
    static const struct mm_spectrum_loops *const list[MM_INSTRUCTIONS_COUNT] = {MM_INSTRUCTIONS_LIST(ROW)};
#undef ROW
    return list[instructions];
}
