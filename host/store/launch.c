/* launch.c - waits for the tasks that one launcher started together with this one.
 *
 * mpirun takes the first process that ends with another code than 0 for a failure and kills the rest. So a task
 * whose own share is done, while others still work on theirs, stays until they have ended and then knows whether
 * the grid is complete. It holds no journal meanwhile: tasks that wait are not waited for.
 */
#include <time.h>

#include "chain/agreement.h"
#include "store/launch.h"
#include "base/clock.h"

/* Seconds between looks, and for which such tasks may take to start, or be without a journal while they fold. */
static const double EVERY = 0.25;
static const double GRACE = 3.0;

static mm_status count_alive(const char *output, const struct mm_task *task, int64_t *alive, struct mm_error *error)
{
    struct mm_journal_file *journals = NULL;
    size_t count = 0;
    *alive = 0;
    mm_status status = mm_journal_list(output, false, &journals, &count, error);
    for (size_t i = 0; status == MM_OK && i < count; i++)
        *alive += journals[i].alive && journals[i].readable && mm_task_same_launch(task, &journals[i].header.task);
    if (status == MM_OK)
        mm_journal_list_free(journals, count);
    return status;
}

mm_status mm_launch_wait(const char *output, const struct mm_task *task, struct mm_store *store,
                         const volatile int *stop, struct mm_error *error)
{
    const struct timespec pause = {.tv_nsec = (long)(EVERY * 1e9)};
    double seen = mm_monotonic_seconds();
    mm_status status = MM_OK;
    while (status == MM_OK && *stop == 0 && mm_monotonic_seconds() < seen + GRACE) {
        int64_t alive = 0;
        status = count_alive(output, task, &alive, error);
        if (status == MM_OK && alive == 0)
            status = mm_store_refresh(store, error);
        if (status != MM_OK ||
            (alive == 0 && mm_chains_missing(mm_store_config(store), mm_store_losses(store)) == 0))
            break;
        if (alive > 0)
            seen = mm_monotonic_seconds();
        nanosleep(&pause, NULL); /* a signal may end it early */
    }
    return status;
}
