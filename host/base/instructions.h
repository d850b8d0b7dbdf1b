/* instructions.h - the instruction sets that loops are compiled for, and which of them run on this processor. */
#ifndef MM_BASE_INSTRUCTIONS_H
#define MM_BASE_INSTRUCTIONS_H

#include <stdbool.h>
#include <stddef.h>

/** Every instruction set, widest first; the last one runs everywhere. X(name). Loops for one are in a file
 *  *_<name>.c, which the Makefile compiles for it. */
#if MM_X86
#define MM_INSTRUCTIONS_LIST(X) X(avx512) X(avx2) X(portable)
#else
#define MM_INSTRUCTIONS_LIST(X) X(portable)
#endif

#define MM_INSTRUCTIONS_ENUM(name) MM_INSTRUCTIONS_##name,
enum mm_instructions {
    MM_INSTRUCTIONS_LIST(MM_INSTRUCTIONS_ENUM) MM_INSTRUCTIONS_COUNT,
    MM_INSTRUCTIONS_NONE = MM_INSTRUCTIONS_COUNT,
};
#undef MM_INSTRUCTIONS_ENUM

/** "avx512", "avx2" or "portable". */
const char *mm_instructions_name(enum mm_instructions instructions);

/** Whether this processor has them. */
bool mm_instructions_supported(enum mm_instructions instructions);

/** The instruction set of that name if this processor has it, else MM_INSTRUCTIONS_NONE; NULL name: the widest that
 *  it has. */
enum mm_instructions mm_instructions_find(const char *name);

#endif
