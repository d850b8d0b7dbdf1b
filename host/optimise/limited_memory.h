/* limited_memory.h - the limited-memory BFGS matrix in compact form, and its inverse over the free variables. */
#ifndef MM_OPTIMISE_LIMITED_MEMORY_H
#define MM_OPTIMISE_LIMITED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "optimise/saddle_matrix.h"

/** The matrix B = theta I - W M W^T of the last `count` pairs (s, y); theta I when there are none.
 *  Vectors over the columns of W = [Y, theta S] have 2 count entries, in each half the oldest pair first. */
struct mm_limited_memory {
    size_t n;        /* variables */
    size_t capacity; /* most pairs */
    size_t count;    /* pairs held */
    size_t oldest;   /* slot of the oldest pair; the next older ones follow, around the end */
    double theta;    /* scale of the matrix, > 0 */
    double *s, *y;   /* [capacity][n], a pair in each slot */

    double *ss, *sy;                /* [capacity][capacity] by slots: s_a . s_b and s_a . y_b */
    struct mm_saddle_matrix middle; /* M^-1, factored */

    bool *is_free;                          /* [n]: the variables over which the next sums are split */
    double *free_yy, *active_ss, *split_sy; /* [capacity][capacity] by slots, see optimise/limited_memory.c */
    struct mm_saddle_matrix reduced;        /* K, factored by mm_limited_memory_restrict */
};

/** Takes the arrays from the arena and leaves the memory empty, with all variables free. */
void mm_limited_memory_layout(struct mm_limited_memory *memory, size_t n, size_t capacity, struct mm_arena *arena);

/** Forgets all pairs: B = I. */
void mm_limited_memory_clear(struct mm_limited_memory *memory);

/** Adds a pair, step s [n] and change of the gradient y [n], in the place of the oldest one if there is no other.
 *  The pair is left out if its curvature s.y is not positive enough, s.y <= epsilon y.y. If the pairs no longer
 *  make a positive definite matrix, all are forgotten. */
void mm_limited_memory_update(struct mm_limited_memory *memory, const double *s, const double *y);

/** result [2 count] := W^T vector [n] */
void mm_limited_memory_project(const struct mm_limited_memory *memory, const double *vector, double *result);

/** vector [n] += W coefficients [2 count] */
void mm_limited_memory_expand(const struct mm_limited_memory *memory, const double *coefficients, double *vector);

/** row [2 count] := the row of W that belongs to a variable */
void mm_limited_memory_row(const struct mm_limited_memory *memory, size_t variable, double *row);

/** vector [2 count] := M vector */
void mm_limited_memory_apply_middle(const struct mm_limited_memory *memory, double *vector);

/** Prepares the inverse of B over the variables with is_free[i], in O(m n) and O(m^2) for each that has changed
 * since the last call.
 *  @returns false if the restricted matrix is not positive definite to working precision */
bool mm_limited_memory_restrict(struct mm_limited_memory *memory, const bool *is_free);

/** result := (Z^T B Z)^-1 vector over the variables given to mm_limited_memory_restrict.
 *  @param vector        [n], zero where not free
 *  @param coefficients  [2 count], overwritten
 *  @param result        [n], zero where not free; not vector */
void mm_limited_memory_solve(const struct mm_limited_memory *memory, const double *vector, double *coefficients,
                             double *result);

#endif
