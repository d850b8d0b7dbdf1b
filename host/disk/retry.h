/* retry.h - a disk that fails is told of once, tried again, and given up in the end. */
#ifndef MM_DISK_RETRY_H
#define MM_DISK_RETRY_H

#include "micromaser.h"

/** A policy, and where it stands. */
struct mm_retry {
    const char *path;         /* what messages name; borrowed, as all pointers here */
    const char *meanwhile;    /* what becomes of the work as long as it goes on, for the message */
    double seconds;           /* for which failures are tried again */
    const volatile int *stop; /* not zero: stop waiting (may be NULL) */
    void (*report)(void *context, const char *line); /* what a person should know; may be NULL */
    void *report_context;
    double failing_since; /* monotonic time of the first of the failures that go on; negative: none */
};

/** What a failed call on a file means: MM_ERROR_SYSTEM where time may cure the reason (an errno) - a disk that is
 *  full, over its quota, failing, read-only or out of reach - else `otherwise`, which a person has to see to. */
mm_status mm_disk_status(int reason, mm_status otherwise);

/** Notes a failure: tells of the first one. MM_ERROR_STORAGE once `seconds` are over, else MM_OK: try again. */
mm_status mm_retry_after(struct mm_retry *retry, const struct mm_error *failure, struct mm_error *error);

/** Tells that what failed has succeeded, if it had failed before. */
void mm_retry_succeeded(struct mm_retry *retry);

/** Attempts something until it succeeds, a second between the attempts, as long as it fails with a status that may
 *  pass. MM_ERROR_STORAGE once `seconds` are over or a stop was asked for. */
mm_status mm_retry_until_done(struct mm_retry *retry, mm_status (*attempt)(void *context, struct mm_error *error),
                              void *context, bool (*may_pass)(mm_status status), struct mm_error *error);

#endif
