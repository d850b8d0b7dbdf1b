/* eigen_lapack.h - spectra of real symmetric matrices by LAPACK. */
#ifndef MM_EIGEN_LAPACK_H
#define MM_EIGEN_LAPACK_H

#include "micromaser.h"

/** Reusable memory for matrices up to some number of levels; zero-initialise before the first use. */
struct mm_eigen {
    int capacity;      /* levels the arrays below are made for */
    double *matrix;    /* [levels][levels], column-major: input, lower triangle; eigenvectors on output */
    double *projector; /* [levels][levels], column-major, lower triangle */
    double *values;    /* [levels], ascending */
    double *work;
    int *integer_work;
};

/** Makes room for matrices of `levels` rows. */
mm_status mm_eigen_reserve(struct mm_eigen *eigen, int levels, struct mm_error *error);

/** Eigenvalues of eigen->matrix (lower triangle, leading dimension `levels`; destroyed) into eigen->values,
 *  ascending; with `vectors` the orthonormal eigenvectors replace the matrix, one a column. */
mm_status mm_eigen_solve(struct mm_eigen *eigen, int levels, bool vectors, struct mm_error *error);

/** Energy of the passive state (Eq. 10): sum_k k r_k with the eigenvalues sorted descending, from eigen->values. */
double mm_eigen_passive_energy(const struct mm_eigen *eigen, int levels);

/** Lower triangle of sum_k k v_k v_k^T, the derivative of the passive energy by the density matrix, from the
 *  eigenvectors in eigen->matrix (destroyed) into eigen->projector. */
void mm_eigen_passive_projector(struct mm_eigen *eigen, int levels);

void mm_eigen_free(struct mm_eigen *eigen);

#endif
