/* results.h - the rows of a search in their order (g, lambda, start), for the search driver and the result file. */
#ifndef MM_CHAIN_RESULTS_H
#define MM_CHAIN_RESULTS_H

#include "chain/source.h"

/** Sets place and parameter storage of an unfinished chain: the caller then fills mm_results_initial and
 *  mm_results_final, the other fields, and sets `finished` last. */
struct mm_chain *mm_results_claim(struct mm_results *results, const struct mm_config *config, int64_t index);

/** Storage [batch_count][2] behind the `initial` of a chain. */
double *mm_results_initial(struct mm_results *results, int64_t index);

/** Storage [batch_count][2] behind the `final` of a chain. */
double *mm_results_final(struct mm_results *results, int64_t index);

/** Results in memory and their configuration, as the context of a source. */
struct mm_results_view {
    const struct mm_config *config;
    const struct mm_results *results;
};

/** The finished chains of results in memory; borrows the view. */
struct mm_chain_source mm_results_source(struct mm_results_view *view);

/** Number of finished chains. */
int64_t mm_results_finished(const struct mm_results *results);

#endif
