/* eigen_lapack.c - spectra of real symmetric matrices by LAPACK.
 *
 * LAPACK sorts eigenvalues ascending: the k-th largest of L levels is number L-1-k.
 */
#include <math.h>
#include <stdlib.h>

#include <cblas.h>
#include <lapacke.h>

#include "eigen_lapack.h"
#include "memory.h"

void mm_eigen_free(struct mm_eigen *eigen)
{
    free(eigen->matrix);
    free(eigen->projector);
    free(eigen->values);
    free(eigen->work);
    free(eigen->integer_work);
    *eigen = (struct mm_eigen){0};
}

/** What dsyevd wants for a matrix of `levels` rows. */
struct work_sizes {
    int work;
    int integer_work;
};

/** Block sizes inside LAPACK, and with them the last bits of a result, depend on the work space offered. It is
 *  therefore always what this size of matrix asks for, however much is allocated. */
static mm_status query_work(int levels, bool vectors, struct work_sizes *sizes, struct mm_error *error)
{
    double size = 0.0, unused = 0.0;
    int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, vectors ? 'V' : 'N', 'L', levels, &unused, levels, &unused,
                                   &size, -1, &sizes->integer_work, -1);
    if (info != 0)
        return mm_fail(error, MM_ERROR_LAPACK, "dsyevd refused a work-space query for %d levels: info = %d", levels,
                       info);
    sizes->work = (int)size;
    return MM_OK;
}

mm_status mm_eigen_reserve(struct mm_eigen *eigen, int levels, struct mm_error *error)
{
    if (levels <= eigen->capacity)
        return MM_OK;
    mm_eigen_free(eigen);
    struct work_sizes largest;
    mm_status status = query_work(levels, true, &largest, error);
    if (status != MM_OK)
        return status;
    size_t size = (size_t)levels;
    eigen->matrix = mm_allocate_doubles(size * size);
    eigen->projector = mm_allocate_doubles(size * size);
    eigen->values = mm_allocate_doubles(size);
    eigen->work = mm_allocate_doubles((size_t)largest.work);
    eigen->integer_work = malloc((size_t)largest.integer_work * sizeof(int));
    if (!eigen->matrix || !eigen->projector || !eigen->values || !eigen->work || !eigen->integer_work) {
        mm_eigen_free(eigen);
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the eigenvalues of %d levels", levels);
    }
    eigen->capacity = levels;
    return MM_OK;
}

mm_status mm_eigen_solve(struct mm_eigen *eigen, int levels, bool vectors, struct mm_error *error)
{
    struct work_sizes sizes;
    mm_status status = query_work(levels, vectors, &sizes, error);
    if (status != MM_OK)
        return status;
    int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, vectors ? 'V' : 'N', 'L', levels, eigen->matrix, levels,
                                   eigen->values, eigen->work, sizes.work, eigen->integer_work, sizes.integer_work);
    if (info != 0)
        return mm_fail(error, MM_ERROR_LAPACK, "dsyevd failed on a density matrix of %d levels: info = %d", levels,
                       info);
    return MM_OK;
}

double mm_eigen_passive_energy(const struct mm_eigen *eigen, int levels)
{
    double energy = 0.0;
    for (int k = levels - 1; k > 0; k--)
        energy += k * eigen->values[levels - 1 - k];
    return energy;
}

void mm_eigen_passive_projector(struct mm_eigen *eigen, int levels)
{
    for (int k = 0; k < levels; k++)
        cblas_dscal(levels, sqrt((double)k), eigen->matrix + (size_t)(levels - 1 - k) * (size_t)levels, 1);
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, levels, levels, 1.0, eigen->matrix, levels, 0.0,
                eigen->projector, levels);
}
