/* state_figures.h - energy, ergotropy and purity of a state, whatever backend it comes from. */
#ifndef MM_SPECTRUM_STATE_FIGURES_H
#define MM_SPECTRUM_STATE_FIGURES_H

#include "spectrum/eigen.h"
#include "micromaser.h"

/** Figures of merit of one state. */
struct mm_figures {
    double energy;    /* E = Tr(H rho), in quanta */
    double ergotropy; /* W of Eq. 10, never negative */
    double purity;    /* Tr(rho^2) */
};

/** Measures a state. `eigen` is memory that is used again from call to call. */
mm_status mm_state_figures(const struct mm_state *state, struct mm_eigen *eigen, struct mm_figures *figures,
                           struct mm_error *error);

#endif
