/* eigen_lapack.h - spectra of real symmetric matrices: our tridiagonal reduction, and LAPACK. */
#ifndef MM_EIGEN_LAPACK_H
#define MM_EIGEN_LAPACK_H

#include "micromaser.h"

struct mm_band_loops;

/** Reusable memory for matrices up to some number of levels; zero-initialise before the first use. */
struct mm_eigen {
    const struct mm_band_loops *loops; /* borrowed; NULL: the widest this processor has */
    int capacity;                      /* levels the arrays below are made for */
    double *matrix;                    /* [levels][levels], column-major: input, lower triangle */
    double *projector;                 /* [levels][levels], column-major, lower triangle */
    double *values;                    /* [levels], ascending */
    double *vectors; /* one a column, in the order of values; rows and columns in whole blocks (band_layout.h) */
    double *reduced; /* the matrix while it becomes tridiagonal (tridiagonal.h) */
    double *below;   /* [levels], its subdiagonal */
    double *scales;  /* [levels], of its reflectors */
    double *scratch;
    double *work;
    int *integer_work;
};

/** Makes room for matrices of `levels` rows. */
mm_status mm_eigen_reserve(struct mm_eigen *eigen, int levels, struct mm_error *error);

/** Eigenvalues of eigen->matrix (lower triangle, leading dimension `levels`; kept) into eigen->values, ascending;
 *  with `vectors` orthonormal eigenvectors into eigen->vectors. Accurate beside a largest element of order one. */
mm_status mm_eigen_solve(struct mm_eigen *eigen, int levels, bool vectors, struct mm_error *error);

/** Energy of the passive state (Eq. 10): sum_k k r_k with the eigenvalues sorted descending, from eigen->values. */
double mm_eigen_passive_energy(const struct mm_eigen *eigen, int levels);

/** Lower triangle of sum_k k v_k v_k^T, the derivative of the passive energy by the density matrix, from
 *  eigen->vectors (destroyed) into eigen->projector. */
void mm_eigen_passive_projector(struct mm_eigen *eigen, int levels);

/** Releases the memory; eigen->loops stays. */
void mm_eigen_free(struct mm_eigen *eigen);

#endif
