/* search.h - the search driver, apart from where its chains come from and where their ends go. */
#ifndef MM_SEARCH_SEARCH_H
#define MM_SEARCH_SEARCH_H

#include "search/plan.h"

/** Where the ends of chains are kept. Calls come one at a time, from any thread. */
struct mm_chain_keeper {
    void *context;

    /** Reads a finished chain; parameters [2][batch_count][2] is storage behind its initial and final. */
    mm_status (*read)(void *context, int64_t index, double *parameters, struct mm_chain *chain,
                      struct mm_error *error);

    /** Takes the end of a chain, whose pointers are borrowed, and writes its loss to the losses of the plan. */
    mm_status (*take)(void *context, int64_t index, const struct mm_chain *chain, struct mm_error *error);

    /** After every evaluation; may be NULL. */
    mm_status (*after_evaluation)(void *context, struct mm_error *error);

    /** Before chains are passed over that wait for other processes: learns what those have finished. May be NULL.
     */
    mm_status (*refresh)(void *context, struct mm_error *error);
};

/** Runs the chains of a plan until none is left that can be run, options->stop is set or options->max_seconds are
 * over.
 *  @param solver   for mm_config_problem(config)
 *  @param options  solver options are not used
 *  Returns MM_OK (chains of other processes may still be missing), MM_STOPPED, or an error; every chain that ended
 * before has been taken by the keeper. */
mm_status mm_search_chains(const struct mm_config *config, const struct mm_search_options *options,
                           struct mm_solver *solver, struct mm_search_plan *plan,
                           const struct mm_chain_keeper *keeper, struct mm_error *error);

#endif
