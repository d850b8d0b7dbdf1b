/* saddle_matrix.c - factors and solves small symmetric indefinite matrices made of two definite blocks.
 *
 * With A = J J^T and Z = B J^-T, the system
 *
 *     -A p + B^T q = u
 *      B p +  C  q = v
 *
 * gives p = A^-1 (B^T q - u) by its first row and, put into the second, (C + Z Z^T) q = v + Z J^-1 u. So two
 * Cholesky factors, of A and of C + Z Z^T = C + B A^-1 B^T, solve it without pivoting.
 */
#include "optimise/saddle_matrix.h"

#include <math.h>

#include "base/dot.h"

void mm_saddle_matrix_layout(struct mm_saddle_matrix *matrix, size_t capacity, struct mm_arena *arena)
{
    matrix->capacity = capacity;
    matrix->size = 0;
    matrix->a = mm_arena_take(arena, capacity * capacity, sizeof(double));
    matrix->b = mm_arena_take(arena, capacity * capacity, sizeof(double));
    matrix->c = mm_arena_take(arena, capacity * capacity, sizeof(double));
}

/* Replaces the lower triangle by the Cholesky factor; false if the matrix is not positive definite. */
static bool cholesky(size_t size, size_t stride, double *lower)
{
    for (size_t j = 0; j < size; j++) {
        double *pivot_row = lower + j * stride;
        for (size_t i = j; i < size; i++)
            lower[i * stride + j] -= mm_dot(j, lower + i * stride, pivot_row);
        if (!(pivot_row[j] > 0.0) || !isfinite(pivot_row[j]))
            return false;
        double pivot = sqrt(pivot_row[j]);
        pivot_row[j] = pivot;
        for (size_t i = j + 1; i < size; i++)
            lower[i * stride + j] /= pivot;
    }
    return true;
}

/* vector := lower^-1 vector */
static void solve_lower(size_t size, size_t stride, const double *lower, double *vector)
{
    for (size_t i = 0; i < size; i++)
        vector[i] = (vector[i] - mm_dot(i, lower + i * stride, vector)) / lower[i * stride + i];
}

/* vector := lower^-T vector */
static void solve_lower_transposed(size_t size, size_t stride, const double *lower, double *vector)
{
    for (size_t i = size; i-- > 0;) {
        vector[i] /= lower[i * stride + i];
        for (size_t j = 0; j < i; j++)
            vector[j] -= lower[i * stride + j] * vector[i];
    }
}

bool mm_saddle_matrix_factor(struct mm_saddle_matrix *matrix)
{
    size_t size = matrix->size;
    size_t stride = matrix->capacity;
    if (!cholesky(size, stride, matrix->a))
        return false;
    for (size_t i = 0; i < size; i++) {
        double *row = matrix->b + i * stride;
        solve_lower(size, stride, matrix->a, row);
        for (size_t j = 0; j <= i; j++)
            matrix->c[i * stride + j] += mm_dot(size, row, matrix->b + j * stride);
    }
    return cholesky(size, stride, matrix->c);
}

void mm_saddle_matrix_solve(const struct mm_saddle_matrix *matrix, double *vector)
{
    size_t size = matrix->size;
    size_t stride = matrix->capacity;
    double *upper = vector;
    double *lower = vector + size;
    solve_lower(size, stride, matrix->a, upper);
    for (size_t i = 0; i < size; i++)
        lower[i] += mm_dot(size, matrix->b + i * stride, upper);
    solve_lower(size, stride, matrix->c, lower);
    solve_lower_transposed(size, stride, matrix->c, lower);
    for (size_t j = 0; j < size; j++)
        upper[j] = -upper[j];
    for (size_t i = 0; i < size; i++)
        for (size_t j = 0; j < size; j++)
            upper[j] += matrix->b[i * stride + j] * lower[i];
    solve_lower_transposed(size, stride, matrix->a, upper);
}
