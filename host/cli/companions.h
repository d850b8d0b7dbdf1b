/* companions.h - waits for the tasks that one launcher started together with this one. */
#ifndef MM_CLI_COMPANIONS_H
#define MM_CLI_COMPANIONS_H

#include "store/store.h"

/** Waits until no task that the same srun or mpirun started (store/task.h) is at work on `output` any more, or the
 * program is asked to stop; refreshes the store, which mm_store_finish was called for. */
mm_status cli_wait_for_companions(const char *output, const struct mm_task *task, struct mm_store *store,
                                  struct mm_error *error);

#endif
