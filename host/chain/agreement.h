/* agreement.h - when enough starts of a grid point have found the same best loss. */
#ifndef MM_CHAIN_AGREEMENT_H
#define MM_CHAIN_AGREEMENT_H

#include "micromaser.h"

/** Largest loss that counts as the same optimum as `best`: best + 1e-6 max(1, |best|). */
double mm_agreeing_loss(double best);

/** What the first starts of a grid point tell; zero-initialised: none looked at yet. */
struct mm_agreement {
    int64_t decided;  /* starts looked at */
    int64_t agreeing; /* of these, the ones that found the best loss */
    double best;
    bool enough; /* the starts after these are not needed */
};

/** Looks at the starts that have ended since.
 *  @param losses  [starts] of the grid point; NAN: not finished (yet)
 *  @return the number of its starts that belong to the result: the fewest first starts of which config->agree found
 *          the best loss among them; config->starts while there are none such, and always where agree is 0. It
 *          depends on the losses in the order of the starts alone, not on the order in which chains ended. */
int64_t mm_agreement_advance(struct mm_agreement *agreement, const struct mm_config *config, const double *losses);

/** The same from the beginning. */
int64_t mm_starts_needed(const struct mm_config *config, const double *losses);

/** Chains that are needed and not finished, of all grid points.
 *  @param losses  [g][lambda][starts] */
int64_t mm_chains_missing(const struct mm_config *config, const double *losses);

#endif
