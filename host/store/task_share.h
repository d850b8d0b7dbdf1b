/* task_share.h - the share of one task in the chains that a run still misses. */
#ifndef MM_STORE_TASK_SHARE_H
#define MM_STORE_TASK_SHARE_H

#include "store/task.h"

/** The chains of one task. Every T-th of the chains that were missing when the first task of the round began is one
 *  task's, so that tasks that start early, late, one after another or again have shares that never overlap and
 * leave nothing out. With `agree` the shares are of grid points, whose starts decide together. */
struct mm_task_share {
    int64_t starts;       /* chains of a unit: 1, or with `agree` all starts of a grid point */
    unsigned char *units; /* one bit a unit, set for those of this task; owned */
};

/** Finds the share of a task of several in OUTPUT.share.<round>, which the first task of a round writes.
 *  @param losses  [chains], NAN where a chain is missing
 *  @param share   out; release with mm_task_share_free */
mm_status mm_task_share_open(struct mm_task_share *share, const char *output, const struct mm_config *config,
                             const struct mm_task *task, const double *losses, struct mm_error *error);

/** The same for somebody who only looks: *found is false, and nothing created, if the round has not begun. */
mm_status mm_task_share_view(struct mm_task_share *share, bool *found, const char *output,
                             const struct mm_config *config, const struct mm_task *task, struct mm_error *error);

/** Whether a chain belongs to the share; share NULL stands for all chains. */
bool mm_task_share_has(const struct mm_task_share *share, int64_t index);

void mm_task_share_free(struct mm_task_share *share);

/** Removes the files of all rounds: the run is complete. */
mm_status mm_task_share_remove(const char *output, struct mm_error *error);

#endif
