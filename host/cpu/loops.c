/* loops.c - chooses the vector loops at run time. */
#include <string.h>

#include "cpu/loops.h"

extern const struct mm_band_loops mm_band_loops_portable;
#if MM_X86
extern const struct mm_band_loops mm_band_loops_avx2;
extern const struct mm_band_loops mm_band_loops_avx512;
#endif

static const struct mm_band_loops *const loops_list[] = {
#if MM_X86
    &mm_band_loops_avx512,
    &mm_band_loops_avx2,
#endif
    &mm_band_loops_portable,
};

const struct mm_band_loops *const *mm_band_loops_list(int *count)
{
    *count = (int)(sizeof loops_list / sizeof loops_list[0]);
    return loops_list;
}

const struct mm_band_loops *mm_band_loops_find(const char *name)
{
    int count;
    const struct mm_band_loops *const *list = mm_band_loops_list(&count);
    for (int i = 0; i < count; i++)
        if ((name == NULL || strcmp(name, list[i]->name) == 0) && list[i]->supported())
            return list[i];
    return NULL;
}
