/* run_lock.c - the lock of a run: flock on a file beside the result, removed by its last holder.
 *
 * Who opens the file may find, once he has its lock, that the holder before him removed it: then it locks nothing
 * any more, and he begins anew with the file that has the name now.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "disk/retry.h"
#include "disk/run_lock.h"

enum { WAIT_NANOSECONDS = 20 * 1000 * 1000 };

enum attempt { HELD, BUSY, FAILED };

/* Whether an open file still has its name. */
static bool has_name(int descriptor, const char *path)
{
    struct stat open_file;
    struct stat named;
    return fstat(descriptor, &open_file) == 0 && stat(path, &named) == 0 && open_file.st_dev == named.st_dev &&
           open_file.st_ino == named.st_ino;
}

/* One attempt; errno tells why it FAILED. */
static enum attempt try_lock(struct mm_run_lock *lock)
{
    int descriptor = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0)
        return FAILED;
    int failed = flock(descriptor, LOCK_EX | LOCK_NB);
    int reason = errno;
    if (failed == 0 && has_name(descriptor, lock->path)) {
        lock->descriptor = descriptor;
        return HELD;
    }
    close(descriptor); /* nothing was written */
    errno = reason;
    return failed == 0 || reason == EWOULDBLOCK || reason == EINTR ? BUSY : FAILED;
}

mm_status mm_run_lock_take(struct mm_run_lock *lock, const char *output, double wait_seconds,
                           const volatile int *stop, bool *taken, struct mm_error *error)
{
    double start = mm_monotonic_seconds();
    *lock = (struct mm_run_lock){.descriptor = -1};
    *taken = false;
    if (asprintf(&lock->path, "%s.lock", output) < 0) {
        lock->path = NULL;
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", output);
    }
    enum attempt attempt = try_lock(lock);
    while (attempt == BUSY && mm_monotonic_seconds() - start < wait_seconds && (stop == NULL || *stop == 0)) {
        const struct timespec wait = {.tv_nsec = WAIT_NANOSECONDS};
        nanosleep(&wait, NULL); /* cut short by a signal, which `stop` tells of */
        attempt = try_lock(lock);
    }
    *taken = attempt == HELD;
    if (attempt == HELD)
        return MM_OK;
    int reason = errno;
    mm_status status = MM_OK;
    if (attempt == FAILED)
        status = mm_fail(error, mm_disk_status(reason, MM_ERROR_OUTPUT), "%s: cannot be locked: %s: %s", output,
                         lock->path, strerror(reason));
    mm_run_lock_release(lock);
    return status;
}

void mm_run_lock_release(struct mm_run_lock *lock)
{
    if (lock->path != NULL && lock->descriptor >= 0) {
        unlink(lock->path); /* before the lock is free, so that nobody holds a lock without a name */
        close(lock->descriptor);
    }
    free(lock->path);
    *lock = (struct mm_run_lock){.descriptor = -1};
}
