/* sum_limits.h - when the sums of a stretch by few of its collisions are trusted, for host and device. */
#ifndef MM_SOLVER_SUM_LIMITS_H
#define MM_SOLVER_SUM_LIMITS_H

#include <math.h>
#include <stdbool.h>

#include "model/collision.h"

/** Most by which sums by few collisions may differ from looser ones. Where the terms are not as smooth as such sums
 * need, the difference is about the error; else it is far more. */
struct mm_sum_limits {
    double relative; /* to the sum of |terms| */
    double absolute; /* for each unit of lambda, which weighs the terms, from 1 on */
};

/** Whether sums are to be trusted.
 *  @param magnitude   sum of |terms|
 *  @param by_q, by_x  differences from the looser sums */
MM_INLINE bool mm_sums_hold(struct mm_sum_limits limits, double lambda, double magnitude, double by_q, double by_x)
{
    const double most = fmin(limits.relative * magnitude, limits.absolute * fmax(lambda, 1.0));
    return fabs(by_q) <= most && fabs(by_x) <= most;
}

#endif
