/* run_lock.h - the lock of a run, held for moments: while a process registers, while one folds. */
#ifndef MM_DISK_RUN_LOCK_H
#define MM_DISK_RUN_LOCK_H

#include "micromaser.h"

/** A held lock. */
struct mm_run_lock {
    char *path;
    int descriptor;
};

/** Takes the lock FILE.lock of the run whose result is `output`, waiting for whoever holds it.
 *  @param wait_seconds  seconds to wait at most
 *  @param stop      not zero: stop waiting (may be NULL)
 *  @param taken     out: false if somebody else held it all that time; the status is then MM_OK
 *  MM_ERROR_OUTPUT if there can be no lock there. */
mm_status mm_run_lock_take(struct mm_run_lock *lock, const char *output, double wait_seconds,
                           const volatile int *stop, bool *taken, struct mm_error *error);

/** Removes the lock's file and releases it. A lock that is not held ({0}) is allowed. */
void mm_run_lock_release(struct mm_run_lock *lock);

#endif
