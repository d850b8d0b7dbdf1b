/* merits.h - energy, ergotropy and purity of a state, whatever backend it comes from. */
#ifndef MM_SPECTRUM_MERITS_H
#define MM_SPECTRUM_MERITS_H

#include "spectrum/eigen.h"
#include "micromaser.h"

/** Figures of merit of one state. */
struct mm_merits {
    double energy;    /* E = Tr(H rho), in quanta */
    double ergotropy; /* W of Eq. 10, never negative */
    double purity;    /* Tr(rho^2) */
};

/** Measures a state. `eigen` is memory that is used again from call to call. */
mm_status mm_state_merits(const struct mm_state *state, struct mm_eigen *eigen, struct mm_merits *figures,
                          struct mm_error *error);

#endif
