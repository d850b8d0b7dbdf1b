/* launch.h - waits for the tasks that one launcher started together with this one. */
#ifndef MM_STORE_LAUNCH_H
#define MM_STORE_LAUNCH_H

#include "store/store.h"

/** Waits until no task that the same srun or mpirun started (store/task.h) is at work on `output` any more, or
 *  *stop is set; refreshes the store, which mm_store_finish was called for. */
mm_status mm_launch_wait(const char *output, const struct mm_task *task, struct mm_store *store,
                         const volatile int *stop, struct mm_error *error);

#endif
