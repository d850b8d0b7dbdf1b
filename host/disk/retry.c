/* retry.c - a disk that fails is told of once, tried again, and given up in the end. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "disk/retry.h"

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

static void report(const struct mm_retry *retry, const char *line)
{
    if (retry->report != NULL)
        retry->report(retry->report_context, line);
}

mm_status mm_retry_after(struct mm_retry *retry, const struct mm_error *failure, struct mm_error *error)
{
    char line[2 * MM_ERROR_MESSAGE_SIZE];
    double now = mm_monotonic_seconds();
    if (retry->failing_since < 0) {
        retry->failing_since = now;
        snprintf(line, sizeof line, "%s; %s; trying again for %g s", failure->message, retry->meanwhile,
                 retry->seconds);
        report(retry, line);
    }
    if (now - retry->failing_since < retry->seconds)
        return MM_OK;
    return mm_fail(error, MM_ERROR_STORAGE, "%s: gave up after %g s: %.300s", retry->path, retry->seconds,
                   failure->message);
}

void mm_retry_succeeded(struct mm_retry *retry)
{
    char line[MM_ERROR_MESSAGE_SIZE];
    if (retry->failing_since >= 0) {
        snprintf(line, sizeof line, "%.400s: the disk works again", retry->path);
        report(retry, line);
    }
    retry->failing_since = -1;
}

static bool stop_requested(const struct mm_retry *retry)
{
    return retry->stop != NULL && *retry->stop != 0;
}

static void wait_for_next_attempt(const struct mm_retry *retry)
{
    const struct timespec look = {.tv_nsec = LOOK_NANOSECONDS};
    double start = mm_monotonic_seconds();
    while (!stop_requested(retry) && mm_monotonic_seconds() - start < attempt_every)
        nanosleep(&look, NULL); /* cut short by a signal */
}

mm_status mm_retry_until_done(struct mm_retry *retry, mm_status (*attempt)(void *context, struct mm_error *error),
                              void *context, bool (*may_pass)(mm_status status), struct mm_error *error)
{
    struct mm_error failure = {0};
    mm_status status = attempt(context, &failure);
    while (status != MM_OK && may_pass(status)) {
        mm_status going_on = mm_retry_after(retry, &failure, error);
        if (going_on != MM_OK)
            return going_on;
        if (stop_requested(retry))
            return mm_fail(error, MM_ERROR_STORAGE, "%s: stopped while the disk fails: %.300s", retry->path,
                           failure.message);
        wait_for_next_attempt(retry);
        status = attempt(context, &failure);
    }
    if (status != MM_OK)
        return mm_fail(error, status, "%s", failure.message);
    mm_retry_succeeded(retry);
    return MM_OK;
}
