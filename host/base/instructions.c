/* instructions.c - the instruction sets that loops are compiled for, and which of them run on this processor. */
#include <string.h>

#include "base/instructions.h"

#if MM_X86
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

static bool has_portable(void)
{
    return true;
}

#define ROW(name) {#name, has_##name},
static const struct {
    const char *name;
    bool (*supported)(void);
} sets[MM_INSTRUCTIONS_COUNT] = {MM_INSTRUCTIONS_LIST(ROW)};
#undef ROW

const char *mm_instructions_name(enum mm_instructions instructions)
{
    return sets[instructions].name;
}

bool mm_instructions_supported(enum mm_instructions instructions)
{
    return sets[instructions].supported();
}

enum mm_instructions mm_instructions_find(const char *name)
{
    for (int i = 0; i < MM_INSTRUCTIONS_COUNT; i++)
        if ((name == NULL || strcmp(name, sets[i].name) == 0) && sets[i].supported())
            return (enum mm_instructions)i;
    return MM_INSTRUCTIONS_NONE;
}
