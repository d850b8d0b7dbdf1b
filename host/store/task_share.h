/* task_share.h - the file in which the tasks of a run agree on their shares of the chains that are missing. */
#ifndef MM_STORE_TASK_SHARE_H
#define MM_STORE_TASK_SHARE_H

#include "chain/share.h"
#include "store/task.h"

/** Finds the share of a task of several in OUTPUT.share.<round>, which the first task of a round writes.
 *  @param losses  [chains], NAN where a chain is missing
 *  @param share   out; release with mm_share_free */
mm_status mm_task_share_open(struct mm_share *share, const char *output, const struct mm_config *config,
                             const struct mm_task *task, const double *losses, struct mm_error *error);

/** The same for somebody who only looks: *found is false, and nothing created, if the round has not begun. */
mm_status mm_task_share_view(struct mm_share *share, bool *found, const char *output,
                             const struct mm_config *config, const struct mm_task *task, struct mm_error *error);

/** Removes the files of all rounds: the run is complete. */
mm_status mm_task_share_remove(const char *output, struct mm_error *error);

#endif
