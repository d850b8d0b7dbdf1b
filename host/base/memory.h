/* memory.h - cache-line aligned allocation. */
#ifndef MM_BASE_MEMORY_H
#define MM_BASE_MEMORY_H

#include <stddef.h>

/** `count` doubles set to zero, aligned to 64 bytes so that vector loads and BLAS kernels behave the same from
 *  run to run; NULL if there is no memory or the size overflows. Free with free(). */
double *mm_allocate_doubles(size_t count);

#endif
