/* root.h - the attributes at the root of each of our files: what it is, and the run that made it. */
#ifndef MM_FILES_HDF5_ROOT_H
#define MM_FILES_HDF5_ROOT_H

#include "files/hdf5/checked.h"

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
bool mm_root_describes(hid_t file, const char *name);

/** Reads such a text after checking the description; NULL after a failure. Free with H5free_memory. */
char *mm_root_read_text(struct mm_hdf5 *hdf5, hid_t file, const char *name);

#endif
