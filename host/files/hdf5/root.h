/* root.h - the attributes at the root of each of our files: what it is, and the run that made it. */
#ifndef MM_FILES_HDF5_ROOT_H
#define MM_FILES_HDF5_ROOT_H

#include "files/hdf5/read.h"

/** The text of a kind. */
const char *mm_file_kind_text(enum mm_file_kind kind);

/** What the root of a file of ours tells about its run. Texts are borrowed. */
struct mm_file_root {
    const char *kind;          /* mm_file_kind_text */
    const char *configuration; /* canonical text */
    uint64_t seed;
    const char *backend;
    const char *device;
    const struct mm_run_info *info;
    double seconds;
    bool complete;
};

/** Writes (or, in a file that is continued, replaces) the attributes of the root. */
void mm_hdf5_write_root(struct mm_hdf5 *hdf5, hid_t file, const struct mm_file_root *root);

/** Whether the root of a file describes itself with a text of that name in a form that can be checked. */
bool mm_hdf5_root_describes(hid_t file, const char *name);

/** Opens a file and finds its kind; a file of another program is refused with MM_ERROR_INPUT. After success or
 *  failure of later calls, mm_hdf5_file_close ends it; after a failure here nothing needs to be closed.
 *  @param path  has to outlive *file */
mm_status mm_hdf5_file_open(struct mm_hdf5_file *file, const char *path, struct mm_error *error);

/** Whether the run that made a file had come to its end; a file that does not tell is taken for whole. */
bool mm_hdf5_is_complete(struct mm_hdf5_file *file);

/** Closes the file and returns the status of everything that was read from it. */
mm_status mm_hdf5_file_close(struct mm_hdf5_file *file);

/** Reads a text attribute; NULL on failure. Those of the root are checked against its description. Free with
 *  H5free_memory. */
char *mm_hdf5_read_text(struct mm_hdf5 *hdf5, hid_t object, const char *name);

/** Compares a text attribute of a file that is to be continued with what it must be; the failure is
 *  "PATH: belongs to another WHAT: ..". */
void mm_hdf5_check_text(struct mm_hdf5_file *file, const char *name, const char *what, const char *here);

#endif
