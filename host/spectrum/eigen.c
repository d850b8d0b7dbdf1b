/* eigen.c - spectra of real symmetric matrices: our reduction to tridiagonal form, then LAPACK.
 *
 * A = Q T Q^T by Householder's method and Q Z (spectrum/tridiagonal_loops.h); the eigenvalues of T by our QL
 * algorithm (spectrum/tridiagonal_values.c) or, where that does not converge, by dsterf; with its eigenvectors Z by
 * dstedc (divide and conquer). Eigenvalues come out ascending: the k-th largest of L levels is number L-1-k.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>
#include <lapacke.h>

#include "solver/band_layout.h"
#include "spectrum/eigen.h"
#include "base/memory.h"
#include "spectrum/tridiagonal.h"

void mm_eigen_free(struct mm_eigen *eigen)
{
    free(eigen->matrix);
    free(eigen->values);
    free(eigen->reduced);
    free(eigen->below);
    free(eigen->scales);
    free(eigen->tridiagonal);
    free(eigen->divided);
    free(eigen->vectors);
    free(eigen->scratch);
    free(eigen->work);
    free(eigen->integer_work);
    *eigen = (struct mm_eigen){.loops = eigen->loops};
}

/* What dstedc wants for a matrix of some rows. */
struct work_sizes {
    int doubles;
    int integers;
};

/* Block sizes inside LAPACK, and with them the last bits of a result, depend on the work space offered. It is
 * therefore always what this size of matrix asks for, however much is allocated. */
static mm_status query_work(int levels, struct work_sizes *sizes, struct mm_error *error)
{
    double doubles = 0.0, unused = 0.0;
    int info = LAPACKE_dstedc_work(LAPACK_COL_MAJOR, 'I', levels, &unused, &unused, &unused, levels, &doubles, -1,
                                   &sizes->integers, -1);
    if (info != 0)
        return mm_fail(error, MM_ERROR_LAPACK, "dstedc refused a work-space query for %d levels: info = %d", levels,
                       info);
    sizes->doubles = (int)doubles;
    return MM_OK;
}

static bool allocate(struct mm_eigen *eigen, size_t levels, const struct work_sizes *sizes)
{
    const size_t columns = (size_t)mm_band_columns((int)levels), stride = mm_eigen_stride((int)levels);
    const size_t lanes = MM_TWISTED_VECTORS * MM_TWISTED_LANES * levels;
    const size_t rows = MM_TRIDIAGONAL_VECTORS * columns;
    eigen->matrix = mm_allocate_doubles(levels * levels);
    eigen->values = mm_allocate_doubles(levels);
    eigen->reduced = mm_allocate_doubles(columns * columns);
    eigen->below = mm_allocate_doubles(levels);
    eigen->scales = mm_allocate_doubles(levels);
    eigen->scratch = mm_allocate_doubles(lanes > rows ? lanes : rows);
    eigen->tridiagonal = mm_allocate_doubles(MM_EIGEN_ROWS * stride);
    eigen->divided = mm_allocate_doubles(levels * levels);
    eigen->vectors = mm_allocate_doubles(levels * stride);
    eigen->work = mm_allocate_doubles((size_t)sizes->doubles);
    eigen->integer_work = malloc((size_t)sizes->integers * sizeof(int));
    return eigen->matrix && eigen->values && eigen->reduced && eigen->below && eigen->scales && eigen->scratch &&
           eigen->tridiagonal && eigen->divided && eigen->vectors && eigen->work && eigen->integer_work;
}

mm_status mm_eigen_reserve(struct mm_eigen *eigen, int levels, struct mm_error *error)
{
    if (levels <= eigen->capacity)
        return MM_OK;
    mm_eigen_free(eigen);
    struct work_sizes largest;
    mm_status status = query_work(levels, &largest, error);
    if (status != MM_OK)
        return status;
    if (!allocate(eigen, (size_t)levels, &largest)) {
        mm_eigen_free(eigen);
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the eigenvalues of %d levels", levels);
    }
    eigen->capacity = levels;
    return MM_OK;
}

/* Copies the matrix to where it is reduced: padded with zeros, and its diagonal blocks completed. */
static void copy_for_reduction(const double *matrix, int levels, const struct mm_tridiagonal *target)
{
    for (int column = 0; column < (int)target->stride; column++) {
        double *to = target->matrix + (size_t)column * target->stride;
        const int block = column / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK;
        const int above = column < levels ? column : levels;
        for (int row = block; row < above; row++)
            to[row] = column < levels ? matrix[(size_t)row * (size_t)levels + (size_t)column] : 0.0;
        for (int row = column; row < levels; row++)
            to[row] = matrix[(size_t)column * (size_t)levels + (size_t)row];
        for (int row = levels; row < (int)target->stride; row++)
            to[row] = 0.0;
    }
}

struct mm_tridiagonal mm_eigen_reduce(struct mm_eigen *eigen, int levels)
{
    const struct mm_tridiagonal reduced = {
        levels,        (size_t)mm_band_columns(levels), eigen->reduced, eigen->values, eigen->below, eigen->scales,
        eigen->scratch};
    if (eigen->loops == NULL)
        eigen->loops = mm_spectrum_loops(mm_instructions_find(NULL));
    copy_for_reduction(eigen->matrix, levels, &reduced);
    eigen->loops->tridiagonalize(&reduced);
    memcpy(mm_eigen_row(eigen, levels, MM_EIGEN_DIAGONAL), reduced.diagonal, (size_t)levels * sizeof(double));
    memcpy(mm_eigen_row(eigen, levels, MM_EIGEN_BELOW), reduced.below, (size_t)(levels - 1) * sizeof(double));
    return reduced;
}

/* Puts T back where its eigenvalues have been looked for. */
static void restore(const struct mm_eigen *eigen, const struct mm_tridiagonal *reduced)
{
    const int levels = reduced->levels;
    memcpy(reduced->diagonal, mm_eigen_row(eigen, levels, MM_EIGEN_DIAGONAL), (size_t)levels * sizeof(double));
    memcpy(reduced->below, mm_eigen_row(eigen, levels, MM_EIGEN_BELOW), (size_t)(levels - 1) * sizeof(double));
}

mm_status mm_eigen_values(struct mm_eigen *eigen, const struct mm_tridiagonal *reduced, struct mm_error *error)
{
    const int levels = reduced->levels;
    if (mm_tridiagonal_values(levels, reduced->diagonal, reduced->below))
        return MM_OK;
    restore(eigen, reduced);
    int info = LAPACKE_dsterf_work(levels, reduced->diagonal, reduced->below);
    if (info != 0)
        return mm_fail(error, MM_ERROR_LAPACK, "dsterf failed on a density matrix of %d levels: info = %d", levels,
                       info);
    return MM_OK;
}

/* Rows of eigenvectors out of columns; what follows the last one of a row is zero. */
static void transpose(int levels, const double *columns, size_t stride, double *rows)
{
    const size_t count = (size_t)levels;
    for (size_t n = 0; n < count; n++) {
        for (size_t k = 0; k < count; k++)
            rows[n * stride + k] = columns[k * count + n];
        memset(rows + n * stride + count, 0, (stride - count) * sizeof(double));
    }
}

mm_status mm_eigen_vectors(struct mm_eigen *eigen, const struct mm_tridiagonal *reduced, struct mm_error *error)
{
    const int levels = reduced->levels;
    const size_t stride = mm_eigen_stride(levels);
    struct work_sizes sizes;
    mm_status status = query_work(levels, &sizes, error);
    if (status != MM_OK)
        return status;
    restore(eigen, reduced);
    int info = LAPACKE_dstedc_work(LAPACK_COL_MAJOR, 'I', levels, reduced->diagonal, reduced->below, eigen->divided,
                                   levels, eigen->work, sizes.doubles, eigen->integer_work, sizes.integers);
    if (info != 0)
        return mm_fail(error, MM_ERROR_LAPACK, "dstedc failed on a density matrix of %d levels: info = %d", levels,
                       info);
    transpose(levels, eigen->divided, stride, eigen->vectors);
    eigen->loops->transform_back(reduced, eigen->vectors, stride, levels);
    return MM_OK;
}

mm_status mm_eigen_solve(struct mm_eigen *eigen, int levels, bool vectors, struct mm_error *error)
{
    const struct mm_tridiagonal reduced = mm_eigen_reduce(eigen, levels);
    return vectors ? mm_eigen_vectors(eigen, &reduced, error) : mm_eigen_values(eigen, &reduced, error);
}

double mm_eigen_passive_energy(const struct mm_eigen *eigen, int levels)
{
    double energy = 0.0;
    for (int k = levels - 1; k > 0; k--)
        energy += k * eigen->values[levels - 1 - k];
    return energy;
}
