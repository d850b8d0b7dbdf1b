/* collision_sum.h - sums over many collisions by the terms of a few. */
#ifndef MM_SOLVER_COLLISION_SUM_H
#define MM_SOLVER_COLLISION_SUM_H

#include "micromaser.h"

/** sum_k f(k), k = 0 .. length-1, as sum_i weights[i] f(collisions[i]). */
struct mm_collision_sum {
    int count;
    int64_t *collisions; /* [count], ascending */
    double *weights;     /* [count] */
};

/** Sums over a stretch of equal collisions, for terms f(k) = <A_{k+1}, M R_k> with any linear M, where R_{k+1} =
 *  Phi R_k, A_k = Phi^T A_{k+1} and Phi is the collision of Eqs. 4-6 with one and the same qubit.
 *  @param length      collisions of the stretch, at least 2
 *  @param count       of tolerances
 *  @param tolerances  [count], in (0, 1): the error is about that of the largest term. The collisions of a looser
 *                     sum are among those of a tighter one.
 *  @param sums        [count], out; owned by the caller, who frees each with mm_collision_sum_free
 *  Errors: MM_ERROR_MEMORY, MM_ERROR_LAPACK, and nothing is left to free. */
mm_status mm_collision_sums_find(int64_t length, size_t count, const double *tolerances,
                                 struct mm_collision_sum *sums, struct mm_error *error);

/** Frees the arrays of a sum. */
void mm_collision_sum_free(struct mm_collision_sum *sum);

#endif
