/* memory.c - cache-line aligned allocation. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

double *mm_allocate_doubles(size_t count)
{
    if (count > (SIZE_MAX - 64) / sizeof(double))
        return NULL;
    size_t size = (count * sizeof(double) + 63) / 64 * 64;
    if (size == 0)
        size = 64;
    double *doubles = aligned_alloc(64, size);
    if (doubles != NULL)
        memset(doubles, 0, size);
    return doubles;
}
