/* passive.c - passive energy of a density matrix and its derivative, sum_k k v_k v_k^T.
 *
 * The eigenvectors of all populations above the noise come from twisted factorisations (spectrum/twisted_loops.h),
 * which take an eighth of what LAPACK's divide and conquer does. They are good as far as two neighbouring
 * eigenvalues differ beside their size; where two do not, or anything else goes wrong, LAPACK finds all of them.
 *
 * With p eigenvalues above the noise the derivative is p 1 - sum_k (p - k) v_k v_k^T, which counts the others as
 * one level above these.
 */
#include <math.h>

#include <cblas.h>

#include "spectrum/eigen.h"
#include "solver/spectrum.h"

/* Neighbouring eigenvalues closer than this, beside their size, are left to LAPACK. */
static const double LEAST_GAP = 1e-4;

/* T + shift = L D L^T; returns whether D is positive. */
static bool factorise(const struct mm_eigen *eigen, int levels, double shift)
{
    const struct mm_tridiagonal_factors factors = {
        .levels = levels,
        .diagonal = mm_eigen_row(eigen, levels, MM_EIGEN_DIAGONAL),
        .below = mm_eigen_row(eigen, levels, MM_EIGEN_BELOW),
        .pivots = mm_eigen_row(eigen, levels, MM_EIGEN_PIVOTS),
        .ratios = mm_eigen_row(eigen, levels, MM_EIGEN_RATIOS),
        .squares = mm_eigen_row(eigen, levels, MM_EIGEN_SQUARES),
    };
    return mm_factorise(factors, shift);
}

/* Whether neighbours among some eigenvalues, descending, are far enough apart. */
static bool are_apart(const double *values, int count)
{
    for (int k = 0; k + 1 < count; k++)
        if (!(values[k] - values[k + 1] >= LEAST_GAP * values[k]))
            return false;
    return true;
}

/* Length of vector k, the largest eigenvalue's being 0, of so many. */
static double length_of(int k, int count, bool over_roots, double value)
{
    if (k >= count || (over_roots && value <= 0.0))
        return 0.0;
    return over_roots ? sqrt((count - k) / value) : sqrt((double)(count - k));
}

/* The eigenvectors of the largest eigenvalues in their lengths, or false. */
static bool find_leading_vectors(struct mm_eigen *eigen, const struct mm_tridiagonal *reduced, int count,
                                 double shift, bool over_roots)
{
    const int levels = reduced->levels;
    const size_t stride = mm_eigen_stride(levels);
    double *values = mm_eigen_row(eigen, levels, MM_EIGEN_SHIFTED),
           *lengths = mm_eigen_row(eigen, levels, MM_EIGEN_LENGTHS);
    if (count == 0 || !factorise(eigen, levels, shift))
        return false;
    for (int k = 0; k < (int)stride; k++) {
        const double value = eigen->values[levels - 1 - (k < count ? k : count - 1)];
        values[k] = value + shift;
        lengths[k] = length_of(k, count, over_roots, value);
    }
    const struct mm_twisted twisted = {
        .levels = levels,
        .count = count,
        .stride = stride,
        .pivots = mm_eigen_row(eigen, levels, MM_EIGEN_PIVOTS),
        .ratios = mm_eigen_row(eigen, levels, MM_EIGEN_RATIOS),
        .products = mm_eigen_row(eigen, levels, MM_EIGEN_BELOW),
        .squares = mm_eigen_row(eigen, levels, MM_EIGEN_SQUARES),
        .values = values,
        .lengths = lengths,
        .vectors = eigen->vectors,
        .scratch = eigen->scratch,
    };
    if (!eigen->loops->twisted_vectors(&twisted) || !are_apart(values, count))
        return false;
    eigen->loops->transform_back(reduced, eigen->vectors, stride, count);
    return true;
}

/* All eigenvectors in their lengths, by LAPACK; in ascending order, as it gives them. */
static mm_status find_all_vectors(struct mm_eigen *eigen, const struct mm_tridiagonal *reduced, bool over_roots,
                                  struct mm_error *error)
{
    const int levels = reduced->levels;
    mm_status status = mm_eigen_vectors(eigen, reduced, error);
    for (int k = 0; k < levels && status == MM_OK; k++)
        cblas_dscal(levels, length_of(levels - 1 - k, levels, over_roots, eigen->values[k]), eigen->vectors + k,
                    (int)mm_eigen_stride(levels));
    return status;
}

mm_status mm_eigen_passive_derivative(struct mm_eigen *eigen, int levels, bool over_roots, double *energy,
                                      struct mm_projector *projector, struct mm_error *error)
{
    const struct mm_tridiagonal reduced = mm_eigen_reduce(eigen, levels);
    double shift;
    mm_status status = mm_eigen_values(eigen, &reduced, error);
    if (status != MM_OK)
        return status;
    *energy = mm_eigen_passive_energy(eigen, levels);
    int count = mm_count_populations(eigen->values, levels, 0.0, &shift);
    if (!find_leading_vectors(eigen, &reduced, count, shift, over_roots)) {
        count = levels;
        status = find_all_vectors(eigen, &reduced, over_roots, error);
    }
    *projector = (struct mm_projector){
        .levels = levels, .count = count, .factor = eigen->vectors, .factor_stride = mm_eigen_stride(levels)};
    return status;
}
