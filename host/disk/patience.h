/* patience.h - bears with a disk that fails: tells of the first failure, tries again, and gives up in the end. */
#ifndef MM_DISK_PATIENCE_H
#define MM_DISK_PATIENCE_H

#include "micromaser.h"

struct mm_patience {
    const char *path;         /* what messages name; borrowed, as all pointers here */
    const char *meanwhile;    /* what becomes of the work as long as it goes on, for the message */
    double seconds;           /* for which failures are borne with */
    const volatile int *stop; /* not zero: stop waiting (may be NULL) */
    void (*report)(void *context, const char *line); /* what a person should know; may be NULL */
    void *report_context;
    double failing_since; /* monotonic time of the first of the failures that go on; negative: none */
};

/** What a failed call on a file means: MM_ERROR_SYSTEM where time may cure the reason (an errno) - a disk that is
 *  full, over its quota, failing, read-only or out of reach - else `otherwise`, which a person has to see to. */
mm_status mm_disk_status(int reason, mm_status otherwise);

/** Bears with a failure: tells of the first one. MM_ERROR_STORAGE once patience is over, else MM_OK. */
mm_status mm_patience_endure(struct mm_patience *patience, const struct mm_error *failure, struct mm_error *error);

/** Tells that what failed has succeeded, if it had failed before. */
void mm_patience_recovered(struct mm_patience *patience);

/** Attempts something until it succeeds, a second between the attempts, as long as it fails with a status that may
 *  pass. MM_ERROR_STORAGE once patience is over or a stop was asked for. */
mm_status mm_patience_try(struct mm_patience *patience, mm_status (*attempt)(void *context, struct mm_error *error),
                          void *context, bool (*may_pass)(mm_status status), struct mm_error *error);

#endif
