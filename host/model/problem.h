/* problem.h - what of a problem is not part of the public interface: limits, and what holds at a point. */
#ifndef MM_MODEL_PROBLEM_H
#define MM_MODEL_PROBLEM_H

#include "model/tail.h"
#include "micromaser.h"

enum { MM_COLLISIONS_MAX = 1000000000 }; /* most collisions of a charging protocol */

/** The tail of a problem's schedule. */
struct mm_tail mm_problem_tail(const struct mm_problem *problem);

/** Whether a point can be evaluated: MM_ERROR_INPUT names what is not allowed. */
mm_status mm_point_check(const struct mm_point *point, size_t free_batches, struct mm_error *error);

/** The band tolerance that holds at a point. */
double mm_point_band_tolerance(const struct mm_problem *problem, const struct mm_point *point);

/** Whether a point whose band tolerance that is may be rough: it is coarser than the problem's. */
static inline bool mm_tolerance_is_rough(const struct mm_problem *problem, double band_tolerance)
{
    return band_tolerance > problem->band_tolerance;
}

/** The band tolerance of a point for each unit of lambda, which weighs what it drops; 0 where the point may not be
 * rough. */
double mm_rough_tolerance(const struct mm_problem *problem, const struct mm_point *point);

/** Whether the gradient at a point may be as rough as its loss: the energy steps of the tail, which are small
 * differences, have a share in it that needs more digits the larger lambda is. */
bool mm_gradient_may_be_rough(const struct mm_problem *problem, const struct mm_point *point);

/** Whether the top level ever held so much that what is found may depend on the number of levels; true of
 * NaN. */
bool mm_truncation_may_matter(double truncation_population);

#endif
