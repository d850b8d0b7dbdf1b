/* lanes.h - vectors of numbers for loops, in the length that the includer defines as
 * MM_VECTOR_LENGTH: a divisor of MM_COLUMN_BLOCK (solver/band_layout.h). The numbers are doubles, or floats with
 * MM_SINGLE_PRECISION.
 */
#ifndef MM_BASE_LANES_H
#define MM_BASE_LANES_H

#include <math.h>

#ifdef __AVX512VL__
#include <immintrin.h>
#endif

#include "base/inline.h"

#ifdef MM_SINGLE_PRECISION
typedef float mm_number;
typedef int mm_lane; /* an integer of the same size, for shuffles */
#else
typedef double mm_number;
typedef long long mm_lane;
#endif

enum { MM_VECTOR_BYTES = MM_VECTOR_LENGTH * sizeof(mm_number) };

typedef mm_number mm_vector __attribute__((vector_size(MM_VECTOR_BYTES)));
typedef mm_number mm_vector_unaligned __attribute__((vector_size(MM_VECTOR_BYTES), aligned(sizeof(mm_number))));

MM_INLINE mm_vector load(const mm_number *from)
{
    return *(const mm_vector *)from;
}

MM_INLINE mm_vector load_unaligned(const mm_number *from)
{
    return *(const mm_vector_unaligned *)from;
}

MM_INLINE void store(mm_number *to, mm_vector value)
{
    *(mm_vector *)to = value;
}

/** Elements one column to the left: the last lane of `before`, then all but the last of `current`. */
MM_INLINE mm_vector shift_right(mm_vector before, mm_vector current)
{
#if MM_VECTOR_LENGTH == 8 && defined(__AVX512VL__) && defined(MM_SINGLE_PRECISION)
    /* Of a shuffle gcc makes a permutation, which overwrites a register that is still wanted. */
    return (mm_vector)_mm256_alignr_epi32((__m256i)current, (__m256i)before, 7);
#elif MM_VECTOR_LENGTH == 8 && defined(__AVX512VL__)
    return (mm_vector)_mm512_alignr_epi64((__m512i)current, (__m512i)before, 7);
#else
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
    typedef mm_lane lanes __attribute__((vector_size(MM_VECTOR_BYTES)));
    return __builtin_shuffle(before, current, (lanes){MM_SHIFT_LANES});
#endif
#undef MM_SHIFT_LANES
#endif
}

MM_INLINE mm_number magnitude(mm_number value)
{
#ifdef MM_SINGLE_PRECISION
    return fabsf(value);
#else
    return fabs(value);
#endif
}

/** Sum of the lanes, in double precision: halves are added until one lane is left. */
MM_INLINE double sum_lanes(mm_vector value)
{
    double lanes[MM_VECTOR_LENGTH];
    for (int i = 0; i < MM_VECTOR_LENGTH; i++)
        lanes[i] = (double)value[i];
    for (int half = MM_VECTOR_LENGTH / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

/** Sums of the lanes of four vectors. */
MM_INLINE void sum_four(const mm_vector *values, mm_number *sums)
{
#if MM_VECTOR_LENGTH == 4 && !defined(__clang__)
    typedef mm_lane lanes __attribute__((vector_size(MM_VECTOR_BYTES)));
    const lanes even = {0, 4, 2, 6}, odd = {1, 5, 3, 7}, low = {0, 1, 4, 5}, high = {2, 3, 6, 7};
    const mm_vector first =
        __builtin_shuffle(values[0], values[1], even) + __builtin_shuffle(values[0], values[1], odd);
    const mm_vector second =
        __builtin_shuffle(values[2], values[3], even) + __builtin_shuffle(values[2], values[3], odd);
    const mm_vector all = __builtin_shuffle(first, second, low) + __builtin_shuffle(first, second, high);
    for (int i = 0; i < 4; i++)
        sums[i] = all[i];
#else
    for (int i = 0; i < 4; i++)
        sums[i] = (mm_number)sum_lanes(values[i]);
#endif
}

#endif
