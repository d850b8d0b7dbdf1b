/* cpu_vector.h - vectors of doubles for the loops of the cpu backend, in the length that the includer defines as
 * MM_VECTOR_LENGTH: a divisor of MM_COLUMN_BLOCK.
 */
#ifndef MM_CPU_VECTOR_H
#define MM_CPU_VECTOR_H

#include <string.h>

typedef double mm_vector __attribute__((vector_size(8 * MM_VECTOR_LENGTH)));
typedef double mm_vector_unaligned __attribute__((vector_size(8 * MM_VECTOR_LENGTH), aligned(8)));

#define MM_REAL mm_vector
#include "collision.h"

MM_INLINE mm_vector load(const double *from)
{
    return *(const mm_vector *)from;
}

MM_INLINE mm_vector load_unaligned(const double *from)
{
    return *(const mm_vector_unaligned *)from;
}

MM_INLINE void store(double *to, mm_vector value)
{
    *(mm_vector *)to = value;
}

/** Elements one column to the left: the last lane of `before`, then all but the last of `current`. */
MM_INLINE mm_vector shift_right(mm_vector before, mm_vector current)
{
#if MM_VECTOR_LENGTH == 8
#define MM_SHIFT_LANES 7, 8, 9, 10, 11, 12, 13, 14
#elif MM_VECTOR_LENGTH == 4
#define MM_SHIFT_LANES 3, 4, 5, 6
#elif MM_VECTOR_LENGTH == 2
#define MM_SHIFT_LANES 1, 2
#endif
#ifdef __clang__
    return __builtin_shufflevector(before, current, MM_SHIFT_LANES);
#else
    typedef long long lanes __attribute__((vector_size(8 * MM_VECTOR_LENGTH)));
    return __builtin_shuffle(before, current, (lanes){MM_SHIFT_LANES});
#endif
#undef MM_SHIFT_LANES
}

/** Sum of the lanes: halves are added until one lane is left. */
MM_INLINE double sum_lanes(mm_vector value)
{
    typedef double pair __attribute__((vector_size(16)));
#if MM_VECTOR_LENGTH == 8
    typedef double quad __attribute__((vector_size(32)));
    quad halves[2];
    memcpy(halves, &value, sizeof value);
    const quad rest = halves[0] + halves[1];
#else
    const mm_vector rest = value;
#endif
    pair pairs[2] = {{0}};
    memcpy(pairs, &rest, sizeof rest);
    const pair last = pairs[0] + pairs[1];
    return last[0] + last[1];
}

#endif
