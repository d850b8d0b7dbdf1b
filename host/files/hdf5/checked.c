/* checked.c - HDF5 calls whose first failure is remembered and told in one line. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/hdf5/checked.h"
#include "disk/retry.h"

enum { REASON_SIZE = 256 };

/* At exit HDF5 would write what is left of a file that could not be closed, and may crash on it. A failure here
 * leaves only that. */
static void keep_from_exit(void)
{
    (void)H5dont_atexit();
}

void mm_hdf5_begin(struct mm_hdf5 *hdf5, const char *path, mm_status failure, struct mm_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, keep_from_exit); /* has to come before any other call of HDF5 */
    *hdf5 = (struct mm_hdf5){.path = path, .status = MM_OK, .failure = failure, .error = error};
    mm_hdf5_check(hdf5, H5Eget_auto2(H5E_DEFAULT, &hdf5->print, &hdf5->print_data), "prepare", "error handling");
    mm_hdf5_check(hdf5, H5Eset_auto2(H5E_DEFAULT, NULL, NULL), "prepare", "error handling");
}

mm_status mm_hdf5_end(struct mm_hdf5 *hdf5)
{
    mm_hdf5_check(hdf5, H5Eset_auto2(H5E_DEFAULT, hdf5->print, hdf5->print_data), "restore", "error handling");
    return hdf5->status;
}

/* Takes the innermost entry of HDF5's error stack, where the failure was detected. Its texts may hold line breaks.
 */
static herr_t take_innermost(unsigned depth, const H5E_error2_t *entry, void *context)
{
    char *reason = context;
    if (depth > 0 || entry->desc == NULL)
        return 0;
    snprintf(reason, REASON_SIZE, "%s", entry->desc);
    for (char *c = reason; *c != '\0'; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    return 0;
}

/* errno of the call of the system that HDF5's text tells of; 0 if it tells of none. */
static int told_errno(const char *reason)
{
    static const char mark[] = "errno = ";
    const char *at = strstr(reason, mark);
    return at == NULL ? 0 : (int)strtol(at + strlen(mark), NULL, 10);
}

hid_t mm_hdf5_check(struct mm_hdf5 *hdf5, hid_t result, const char *what, const char *name)
{
    if (result >= 0 || hdf5->status != MM_OK)
        return result;
    char reason[REASON_SIZE] = "HDF5 gives no reason";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, reason); /* on failure the default text stands */
    int cause = told_errno(reason);
    hdf5->status = mm_fail(hdf5->error, mm_disk_status(cause, hdf5->failure), "%s: cannot %s %s: %s", hdf5->path,
                           what, name, cause == 0 ? reason : strerror(cause));
    return result;
}

void mm_hdf5_fail(struct mm_hdf5 *hdf5, mm_status status, const char *reason)
{
    if (hdf5->status == MM_OK)
        hdf5->status = mm_fail(hdf5->error, status, "%s: %s", hdf5->path, reason);
}

void mm_hdf5_close(struct mm_hdf5 *hdf5, hid_t identifier, herr_t (*close)(hid_t), const char *name)
{
    if (identifier >= 0)
        mm_hdf5_check(hdf5, close(identifier), "close", name);
}

bool mm_hdf5_version(char version[MM_HDF5_VERSION_SIZE])
{
    unsigned major = 0, minor = 0, release = 0;
    if (H5get_libversion(&major, &minor, &release) < 0)
        return false;
    snprintf(version, MM_HDF5_VERSION_SIZE, "%u.%u.%u", major, minor, release);
    return true;
}
