/* tail.h - the tail of a schedule: its energy steps make up the instability of Eq. 11, and are the sources of the
 * adjoint. Shared by CPU and CUDA.
 *
 * State k is the one after k collisions. With E_k its energy and s_k the sign of the step into it,
 *
 *     instability = sum_k |E_k - E_{k-1}|,     d(instability) = sum_k (s_k - s_{k+1}) dE_k,     s_k = 0 outside,
 *
 * so that the energy of state k has the weight s_k - s_{k+1} in it: the source of the adjoint there. It is 0 but
 * where the energy turns round, and at the ends of the tail.
 */
#ifndef MM_MODEL_TAIL_H
#define MM_MODEL_TAIL_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/inline.h"

/** The steps out of the states start .. end - 1 count. */
struct mm_tail {
    int64_t start; /* collisions before the tail */
    int64_t end;   /* collisions of the schedule */
};

/** Whether the step into state k counts. */
MM_INLINE bool mm_tail_has(struct mm_tail tail, int64_t k)
{
    return k > tail.start && k <= tail.end;
}

/** Whether the energy of state k does: that of the one before the tail, and of those in it. */
MM_INLINE bool mm_tail_needs_energy(struct mm_tail tail, int64_t k)
{
    return k >= tail.start && k <= tail.end;
}

/** What a step, E_k - E_{k-1}, adds to the instability; its sign s_k. */
MM_INLINE double mm_tail_value(double step)
{
    return fabs(step);
}

MM_INLINE int8_t mm_tail_sign(double step)
{
    return (int8_t)((step > 0.0) - (step < 0.0));
}

/** Place of s_k among the signs that are kept, [end - start]. */
MM_INLINE int64_t mm_tail_place(struct mm_tail tail, int64_t k)
{
    return k - 1 - tail.start;
}

/** s_k - s_{k+1}, from the signs that were kept. */
MM_INLINE int mm_tail_source(struct mm_tail tail, const int8_t *signs, int64_t k)
{
    const int in = mm_tail_has(tail, k) ? signs[mm_tail_place(tail, k)] : 0;
    const int out = mm_tail_has(tail, k + 1) ? signs[mm_tail_place(tail, k + 1)] : 0;
    return in - out;
}

#endif
