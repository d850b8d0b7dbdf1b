/* edge_gradient.h - the gradient with respect to (c, q) also where q is at the edge of what it may be. */
#ifndef MM_SOLVER_EDGE_GRADIENT_H
#define MM_SOLVER_EDGE_GRADIENT_H

#include "micromaser.h"

/** As mm_gradient_population, of a point of a solver, but that dL/dq at q = 0 and 1 is what it tends to from inside
 *  where that is finite: where c > 0 and the loss depends on x^2 alone. Evaluates the point once more for each such
 *  batch.
 *  @param problem     the solver's
 *  @param evaluation  of the point, and its derivatives through the channel, [free batches]
 *  @param gradient    [free batches][2], out: dL/dc, dL/dq */
mm_status mm_edge_gradient(struct mm_solver *solver, const struct mm_problem *problem, const struct mm_point *point,
                           const struct mm_evaluation *evaluation, const struct mm_channel_gradient *channels,
                           double *gradient, struct mm_error *error);

#endif
