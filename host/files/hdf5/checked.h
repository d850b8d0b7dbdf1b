/* checked.h - HDF5 calls whose first failure is remembered and told in one line. */
#ifndef MM_FILES_HDF5_CHECKED_H
#define MM_FILES_HDF5_CHECKED_H

#include <hdf5.h>

#include "micromaser.h"

/** A run of HDF5 calls on one file. Once a call has failed, `status` stays set; later calls then fail on the
 * invalid identifiers that the first one left behind, harmlessly, so that only the end needs to be looked at. */
struct mm_hdf5 {
    const char *path;  /* the file as messages name it */
    mm_status status;  /* MM_OK until a call fails */
    mm_status failure; /* what status becomes when a call fails */
    struct mm_error *error;
    H5E_auto2_t print; /* HDF5's own error printing, off until mm_hdf5_end */
    void *print_data;
};

/** Begins a run of calls and silences HDF5's own error printing. The first one of a process keeps HDF5 from doing
 * anything at exit (H5dont_atexit), and so comes before any other call of HDF5. */
void mm_hdf5_begin(struct mm_hdf5 *hdf5, const char *path, mm_status failure, struct mm_error *error);

/** Ends it, restores the printing and returns the status. */
mm_status mm_hdf5_end(struct mm_hdf5 *hdf5);

/** Passes the result of an HDF5 call through; a negative one is the failure "PATH: cannot WHAT NAME: reason". */
hid_t mm_hdf5_check(struct mm_hdf5 *hdf5, hid_t result, const char *what, const char *name);

/** Records a failure of our own, "PATH: reason", unless one is recorded already. */
void mm_hdf5_fail(struct mm_hdf5 *hdf5, mm_status status, const char *reason);

enum { MM_HDF5_VERSION_SIZE = 64 };

/** Version of the HDF5 library; false if it does not tell. */
bool mm_hdf5_version(char version[MM_HDF5_VERSION_SIZE]);

/** Closes an identifier with its closing function; negative ones are skipped. */
void mm_hdf5_close(struct mm_hdf5 *hdf5, hid_t identifier, herr_t (*close)(hid_t), const char *name);

#endif
