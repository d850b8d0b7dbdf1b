/* bound_step.h - where a quadratic model within bounds leads: generalised Cauchy point and subspace minimum. */
#ifndef MM_OPTIMISE_BOUND_STEP_H
#define MM_OPTIMISE_BOUND_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "optimise/limited_memory.h"

/** Bounds and work arrays of the step. */
struct mm_bound_step {
    size_t n;
    const double *lower, *upper; /* [n], -INFINITY and INFINITY where there is none */
    double *target;              /* [n], the result: a point within the bounds */
    bool *is_free;               /* [n], variables that are inside their bounds at the Cauchy point */
    double *direction;           /* [n] */
    double *residual;            /* [n] */
    double *breakpoint;          /* [n], where on the path each variable meets its bound */
    size_t *queue;               /* [n], heap of the variables whose bounds are still ahead */
    double *path, *cauchy;       /* [2 capacity], W^T of direction and of displacement */
    double *row, *product;       /* [2 capacity] */
};

/** Takes the arrays from the arena. Bounds are borrowed. */
void mm_bound_step_layout(struct mm_bound_step *step, size_t n, size_t capacity, const double *lower,
                          const double *upper, struct mm_arena *arena);

/** Sets step->target to the generalised Cauchy point of the model at x, with step->is_free.
 *  @param x  [n], within the bounds    @param gradient  [n], finite */
void mm_bound_step_cauchy(struct mm_bound_step *step, const struct mm_limited_memory *memory, const double *x,
                          const double *gradient);

/** Sets step->target to the approximate minimum of the model within the bounds: the Cauchy point, then the minimum
 *  over the variables that are free there.
 *  @returns false if the memory's matrix is not positive definite to working precision: clear it and try again */
bool mm_bound_step_minimum(struct mm_bound_step *step, struct mm_limited_memory *memory, const double *x,
                           const double *gradient);

#endif
