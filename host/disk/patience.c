/* patience.c - bears with a disk that fails: tells of the first failure, tries again, and gives up in the end. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "disk/patience.h"

static const double attempt_every = 1; /* seconds */
enum { LOOK_NANOSECONDS = 50 * 1000 * 1000 };

mm_status mm_disk_status(int reason, mm_status otherwise)
{
    switch (reason) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EROFS:
    case ESTALE:
    case ETIMEDOUT:
        return MM_ERROR_SYSTEM;
    default:
        return otherwise;
    }
}

static void report(const struct mm_patience *patience, const char *line)
{
    if (patience->report != NULL)
        patience->report(patience->report_context, line);
}

mm_status mm_patience_endure(struct mm_patience *patience, const struct mm_error *failure, struct mm_error *error)
{
    char line[2 * MM_ERROR_MESSAGE_SIZE];
    double now = mm_monotonic_seconds();
    if (patience->failing_since < 0) {
        patience->failing_since = now;
        snprintf(line, sizeof line, "%s; %s; trying again for %g s", failure->message, patience->meanwhile,
                 patience->seconds);
        report(patience, line);
    }
    if (now - patience->failing_since < patience->seconds)
        return MM_OK;
    return mm_fail(error, MM_ERROR_STORAGE, "%s: gave up after %g s: %.300s", patience->path, patience->seconds,
                   failure->message);
}

void mm_patience_recovered(struct mm_patience *patience)
{
    char line[MM_ERROR_MESSAGE_SIZE];
    if (patience->failing_since >= 0) {
        snprintf(line, sizeof line, "%.400s: the disk works again", patience->path);
        report(patience, line);
    }
    patience->failing_since = -1;
}

static bool stop_requested(const struct mm_patience *patience)
{
    return patience->stop != NULL && *patience->stop != 0;
}

static void wait_for_next_attempt(const struct mm_patience *patience)
{
    const struct timespec look = {.tv_nsec = LOOK_NANOSECONDS};
    double start = mm_monotonic_seconds();
    while (!stop_requested(patience) && mm_monotonic_seconds() - start < attempt_every)
        nanosleep(&look, NULL); /* cut short by a signal */
}

mm_status mm_patience_try(struct mm_patience *patience, mm_status (*attempt)(void *context, struct mm_error *error),
                          void *context, bool (*may_pass)(mm_status status), struct mm_error *error)
{
    struct mm_error failure = {0};
    mm_status status = attempt(context, &failure);
    while (status != MM_OK && may_pass(status)) {
        mm_status going_on = mm_patience_endure(patience, &failure, error);
        if (going_on != MM_OK)
            return going_on;
        if (stop_requested(patience))
            return mm_fail(error, MM_ERROR_STORAGE, "%s: stopped while the disk fails: %.300s", patience->path,
                           failure.message);
        wait_for_next_attempt(patience);
        status = attempt(context, &failure);
    }
    if (status != MM_OK)
        return mm_fail(error, status, "%s", failure.message);
    mm_patience_recovered(patience);
    return MM_OK;
}
