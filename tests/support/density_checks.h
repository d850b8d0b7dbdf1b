/* density_checks.h - textbook measures of real symmetric matrices, random numbers and bitwise comparison, for the
 * tests. */
#ifndef MM_TESTS_SUPPORT_DENSITY_CHECKS_H
#define MM_TESTS_SUPPORT_DENSITY_CHECKS_H

#include <lapacke.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "micromaser.h"

/** Next number of a splitmix64 sequence (Steele, Lea and Flood 2014), uniform in [0, 1). */
static inline double random_uniform(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/** Whole number from low to high, both included. */
static inline int random_integer(uint64_t *state, int low, int high)
{
    return low + (int)(random_uniform(state) * (double)(high - low + 1));
}

/** Every bit of two evaluations agrees. */
static inline void assert_same_evaluation(const struct mm_evaluation *a, const struct mm_evaluation *b)
{
    assert_memory_equal(a, b, offsetof(struct mm_evaluation, levels)); /* the rest is levels and padding */
    assert_int_equal(a->levels, b->levels);
}

static inline double matrix_trace(const double *matrix, int size)
{
    double trace = 0.0;
    for (int n = 0; n < size; n++)
        trace += matrix[n * size + n];
    return trace;
}

/** Eigenvalues of a symmetric matrix, ascending, [size], to be freed by the caller. */
static inline double *matrix_eigenvalues(const double *matrix, int size)
{
    const size_t n = (size_t)size;
    double *copy = malloc(n * n * sizeof *copy);
    double *values = malloc(n * sizeof *values);
    assert_non_null(copy);
    assert_non_null(values);
    memcpy(copy, matrix, n * n * sizeof *copy);
    assert_int_equal(LAPACKE_dsyevd(LAPACK_ROW_MAJOR, 'N', 'L', size, copy, size, values), 0);
    free(copy);
    return values;
}

static inline double smallest_eigenvalue(const double *matrix, int size)
{
    double *values = matrix_eigenvalues(matrix, size);
    const double smallest = values[0];
    free(values);
    return smallest;
}

/** Ergotropy of a density matrix of energies 0, 1, .. (Eq. 10). */
static inline double matrix_ergotropy(const double *density, int size)
{
    double *values = matrix_eigenvalues(density, size);
    double ergotropy = 0.0;
    for (int n = 0; n < size; n++)
        ergotropy += n * (density[n * size + n] - values[size - 1 - n]);
    free(values);
    return ergotropy;
}

/** Trace norm of the difference of two symmetric matrices: the sum of |eigenvalues|. */
static inline double trace_distance_norm(const double *a, const double *b, int size)
{
    const size_t elements = (size_t)size * (size_t)size;
    double *difference = malloc(elements * sizeof *difference);
    double norm = 0.0;
    assert_non_null(difference);
    for (size_t i = 0; i < elements; i++)
        difference[i] = a[i] - b[i];
    double *values = matrix_eigenvalues(difference, size);
    for (int i = 0; i < size; i++)
        norm += fabs(values[i]);
    free(values);
    free(difference);
    return norm;
}

/** The matrix in the upper left corner of a larger one that is zero elsewhere, to be freed by the caller. */
static inline double *matrix_enlarge(const double *matrix, int size, int larger)
{
    double *enlarged = calloc((size_t)larger * (size_t)larger, sizeof *enlarged);
    assert_non_null(enlarged);
    for (int n = 0; n < size; n++)
        memcpy(enlarged + (size_t)n * (size_t)larger, matrix + (size_t)n * (size_t)size,
               (size_t)size * sizeof *matrix);
    return enlarged;
}

static inline double largest_difference(const double *a, const double *b, int size)
{
    double largest = 0.0;
    for (int i = 0; i < size * size; i++)
        largest = fmax(largest, fabs(a[i] - b[i]));
    return largest;
}

#endif
