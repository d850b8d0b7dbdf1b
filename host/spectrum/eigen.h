/* eigen.h - spectra of real symmetric matrices: our tridiagonal reduction, and LAPACK. */
#ifndef MM_SPECTRUM_EIGEN_H
#define MM_SPECTRUM_EIGEN_H

#include "solver/band_layout.h"
#include "micromaser.h"
#include "spectrum/loops.h"
#include "spectrum/tridiagonal.h"

/** Rows of mm_eigen.tridiagonal: T, and what spectrum/passive.c makes of it. */
enum mm_eigen_row {
    MM_EIGEN_DIAGONAL,
    MM_EIGEN_BELOW,
    MM_EIGEN_PIVOTS,
    MM_EIGEN_RATIOS,
    MM_EIGEN_SQUARES,
    MM_EIGEN_SHIFTED,
    MM_EIGEN_LENGTHS,
    MM_EIGEN_ROWS,
};

/** Reusable memory for matrices up to some number of levels; zero-initialise before the first use. */
struct mm_eigen {
    const struct mm_spectrum_loops *loops; /* borrowed; NULL: the widest this processor has */
    int capacity;                          /* levels the arrays below are made for */
    double *matrix;                        /* [levels][levels], column-major: input, lower triangle */
    double *values;                        /* [levels], ascending */
    double *vectors;     /* [levels][mm_eigen_stride]: one a column of this, in the order of values */
    double *reduced;     /* the matrix while it becomes tridiagonal (spectrum/tridiagonal.h) */
    double *below;       /* [levels], its subdiagonal */
    double *scales;      /* [levels], of its reflectors */
    double *tridiagonal; /* [MM_EIGEN_ROWS][mm_eigen_stride] */
    double *divided;     /* [levels][levels], what dstedc finds */
    double *scratch;
    double *work;
    int *integer_work;
};

/** Doubles from one row of eigenvectors to the next: room for whole groups of lanes, and an odd number of cache
 * lines, because rows that are a power of two apart would evict each other. */
static inline size_t mm_eigen_stride(int levels)
{
    return ((size_t)levels + MM_TWISTED_LANES - 1) / MM_TWISTED_LANES * MM_TWISTED_LANES + MM_COLUMN_BLOCK;
}

/** A row of mm_eigen.tridiagonal. */
static inline double *mm_eigen_row(const struct mm_eigen *eigen, int levels, enum mm_eigen_row row)
{
    return eigen->tridiagonal + (size_t)row * mm_eigen_stride(levels);
}

/** Makes room for matrices of `levels` rows. */
mm_status mm_eigen_reserve(struct mm_eigen *eigen, int levels, struct mm_error *error);

/** Eigenvalues of eigen->matrix (lower triangle, leading dimension `levels`; kept) into eigen->values, ascending;
 *  with `vectors` orthonormal eigenvectors into eigen->vectors. Accurate beside a largest element of order one. */
mm_status mm_eigen_solve(struct mm_eigen *eigen, int levels, bool vectors, struct mm_error *error);

/** Energy of the passive state (Eq. 10): sum_k k r_k with the eigenvalues sorted descending, from eigen->values. */
double mm_eigen_passive_energy(const struct mm_eigen *eigen, int levels);

/** Passive energy of eigen->matrix, a density matrix, into *energy, and its derivative sum_k k v_k v_k^T into
 *  *projector, which has no target yet and whose factor is valid until eigen is used again. Eigenvalues that the
 *  rounding of a density matrix does not tell from zero, 1e-13 of its trace, all have the weight of the largest of
 *  them.
 *  @param over_roots  the vectors are divided by the roots of their eigenvalues as well: those of G^T G then become
 *                     those of G G^T by G */
mm_status mm_eigen_passive_derivative(struct mm_eigen *eigen, int levels, bool over_roots, double *energy,
                                      struct mm_projector *projector, struct mm_error *error);

/** Parts of the above. T of eigen->matrix: its elements are in eigen->values, eigen->below and eigen->tridiagonal.
 */
struct mm_tridiagonal mm_eigen_reduce(struct mm_eigen *eigen, int levels);

/** The eigenvalues of T, ascending, in its place. */
mm_status mm_eigen_values(struct mm_eigen *eigen, const struct mm_tridiagonal *reduced, struct mm_error *error);

/** The same with the eigenvectors of eigen->matrix, by LAPACK; the eigenvalues may have been found before. */
mm_status mm_eigen_vectors(struct mm_eigen *eigen, const struct mm_tridiagonal *reduced, struct mm_error *error);

/** Releases the memory; eigen->loops stays. */
void mm_eigen_free(struct mm_eigen *eigen);

#endif
