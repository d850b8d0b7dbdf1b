/* saddle_matrix.h - small symmetric indefinite matrices of two definite blocks, factored by two Cholesky steps. */
#ifndef MM_OPTIMISE_SADDLE_MATRIX_H
#define MM_OPTIMISE_SADDLE_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/** The matrix [[-A, B^T], [B, C]] of 2 size rows, A positive definite, C symmetric. Row i of a block starts at
 *  i * capacity. Of A and C only the lower triangles are read and written. */
struct mm_saddle_matrix {
    size_t capacity; /* largest size */
    size_t size;     /* rows of each block */
    double *a;       /* A; after the factorisation its Cholesky factor J, A = J J^T */
    double *b;       /* B; then Z = B J^-T */
    double *c;       /* C; then the Cholesky factor of C + Z Z^T */
};

/** Takes the blocks of a matrix from the arena. */
void mm_saddle_matrix_layout(struct mm_saddle_matrix *matrix, size_t capacity, struct mm_arena *arena);

/** Factors the matrix in place.
 *  @returns false if A or C + B A^-1 B^T is not positive definite to working precision, or not finite */
bool mm_saddle_matrix_factor(struct mm_saddle_matrix *matrix);

/** Replaces vector [2 size] by the solution of matrix * solution = vector. The matrix is factored. */
void mm_saddle_matrix_solve(const struct mm_saddle_matrix *matrix, double *vector);

#endif
