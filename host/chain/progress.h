/* progress.h - how far a search is: what of its grid, and of one task's share in it, is finished and what is missing. */
#ifndef MM_CHAIN_PROGRESS_H
#define MM_CHAIN_PROGRESS_H

#include "chain/share.h"
#include "chain/source.h"

/** Counts of chains that are needed (chain/agreement.h). */
struct mm_grid_progress {
    int64_t total;         /* chains of the grid, needed or not */
    int64_t finished;      /* of those needed */
    int64_t missing;       /* needed and not finished */
    int64_t grid_points;   /* of the grid */
    int64_t incomplete;    /* that lack chains */
    int64_t share_missing; /* chains of the share that are missing */
};

/** Counts them.
 *  @param losses  [chains], NAN where a chain is not finished
 *  @param share   NULL: the whole grid */
struct mm_grid_progress mm_grid_progress(const struct mm_config *config, const double *losses,
                                         const struct mm_share *share);

/** The best chain of one lambda. */
struct mm_lambda_best {
    int64_t chain;    /* its number, -1 if none is finished */
    int64_t finished; /* chains of this lambda */
};

/** Finds the lowest loss of each lambda among the chains that belong in the result; the first wins a tie.
 *  @param best  [values of lambda], out */
void mm_lambda_best_find(const struct mm_chain_source *source, struct mm_lambda_best *best);

#endif
