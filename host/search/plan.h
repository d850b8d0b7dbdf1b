/* plan.h - which chains a search runs, in which order, and where each of them starts. */
#ifndef MM_SEARCH_PLAN_H
#define MM_SEARCH_PLAN_H

#include "chain/share.h"

/** The chains of a configuration that this process still has to run.
 *
 *  First pass: the random starts. In the order (g, lambda, start); with `agree` in the order (start, g, lambda), so
 *  that few starts are run in vain when a grid point has enough of them.
 *  Second pass: the last `neighbour_starts` starts of every grid point with a lower neighbour (next lower lambda at
 *  the same g, next lower g at the same lambda). The neighbours take turns, lambda first: the first start is from
 * the best optimum of its neighbour's random starts, the next one of that neighbour from its next best optimum that
 * differs in loss (chain/agreement.h), and from a random start where there is no further one.
 *  With a race, the random starts end after `race` evaluations, and the second pass are the last `finalists` starts
 * of every grid point: the first goes on from the lowest of its random starts' ends, the others from the next ones
 * that differ in loss. All of it depends on the ends of chains alone, not on when they ended. */
struct mm_search_plan;

/** @param losses  [chains], borrowed: as mm_store_losses; whoever takes the end of a chain writes its loss there
 *  @param share   which chains are this process's (copied pointer, borrowed); NULL: all */
mm_status mm_search_plan_create(struct mm_search_plan **plan, const struct mm_config *config, const double *losses,
                                const struct mm_share *share, struct mm_error *error);

/** Number of the next chain to run, or -1 if none can be run now. A start from a neighbour waits for the
 * neighbour's random starts; `idle` says that nothing is running that could end this wait: such chains are then
 * passed over. */
int64_t mm_search_plan_next(struct mm_search_plan *plan, bool idle);

/** Whether the end of a chain is still wanted: its grid point may meanwhile have enough starts. */
bool mm_search_plan_wants(const struct mm_search_plan *plan, int64_t index);

/** Most evaluations of a chain: fewer for one that runs in a race. */
int64_t mm_search_plan_evaluations(const struct mm_search_plan *plan, int64_t index);

/** Number of the chain whose end a chain begins from, or -1: a random start. */
int64_t mm_search_plan_start_source(const struct mm_search_plan *plan, int64_t index);

/** To be told after the loss of a chain was written. */
void mm_search_plan_ended(struct mm_search_plan *plan, int64_t index);

/** To be told after other processes' losses may have been written: looks at all chains again. */
void mm_search_plan_recount(struct mm_search_plan *plan);

/** Chains of this process that are needed: finished, and in all. */
void mm_search_plan_count(const struct mm_search_plan *plan, int64_t *finished, int64_t *needed);

/** Best loss of every lambda over all g among the finished chains, into best_loss[lambda_count]; INFINITY: none. */
void mm_search_plan_best_losses(const struct mm_search_plan *plan, double *best_loss);

/** Releases it; NULL is allowed. */
void mm_search_plan_free(struct mm_search_plan *plan);

#endif
