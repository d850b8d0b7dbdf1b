/* loops.c - the vector loops of the cpu backend, by instruction set and precision. */
#include "cpu/loops.h"

#define DECLARE(name)                                                                                              \
    extern const struct mm_collision_loops mm_collision_loops_##name, mm_collision_loops_##name##_single;
MM_INSTRUCTIONS_LIST(DECLARE)
#undef DECLARE

const struct mm_collision_loops *const *mm_collision_loops(enum mm_instructions instructions)
{
#define ROW(name) {&mm_collision_loops_##name, &mm_collision_loops_##name##_single},
    static const struct mm_collision_loops *const list[MM_INSTRUCTIONS_COUNT][MM_PRECISIONS] = {
        MM_INSTRUCTIONS_LIST(ROW)};
#undef ROW
    return list[instructions];
}
