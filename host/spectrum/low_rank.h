/* low_rank.h - passive energy of a state of which a small part of the trace may be left out. */
#ifndef MM_SPECTRUM_LOW_RANK_H
#define MM_SPECTRUM_LOW_RANK_H

#include "spectrum/eigen.h"

/** A banded symmetric matrix with nonnegative eigenvalues, borrowed: diagonals of `stride` doubles
 * (solver/band_layout.h).
 */
struct mm_band_state {
    const double *elements;
    size_t stride;
    int levels;
    int bands;
};

/** Reusable memory; zero-initialise before the first use. */
struct mm_low_rank {
    int capacity;         /* levels that the arrays below are made for */
    double *factor;       /* G, [rank][levels]: a column after the other */
    double *left;         /* [levels], diagonal of R - G G^T */
    double *directions;   /* [levels][mm_eigen_stride] */
    struct mm_eigen gram; /* spectrum of G^T G */
};

/** Passive energy of R (Eq. 10) from R = G G^T + S with as few columns of G as leave a trace of S of at most
 *  `tolerance`: the eigenvalues of G^T G are those of G G^T, and what is left is counted with their number as its
 *  rank. The error is about the tolerance times the ranks over which S is spread.
 *  @param energy     out; NAN where more than two thirds of the levels were needed, which makes all of them cheaper
 *  @param projector  derivative of the passive energy by R, as of mm_eigen_passive_derivative, out; may be NULL
 *  Errors: MM_ERROR_MEMORY, MM_ERROR_LAPACK. */
mm_status mm_low_rank_passive_energy(struct mm_low_rank *low, struct mm_band_state state, double tolerance,
                                     struct mm_projector *projector, double *energy, struct mm_error *error);

/** Releases the memory. */
void mm_low_rank_free(struct mm_low_rank *low);

#endif
