/* read.h - attributes and arrays of an HDF5 file. */
#ifndef MM_FILES_HDF5_READ_H
#define MM_FILES_HDF5_READ_H

#include "files/hdf5/checked.h"

/** Every kind of file that this program writes. X(enumerator, root attribute `kind`). */
#define MM_FILE_KIND_LIST(X)                                                                                       \
    X(MM_FILE_SEARCH, "search")                                                                                    \
    X(MM_FILE_EVOLUTION, "evolution")                                                                              \
    X(MM_FILE_ROBUSTNESS, "robustness")                                                                            \
    X(MM_FILE_LANDSCAPE, "landscape")

#define MM_FILE_KIND_ENUM(name, text) name,
enum mm_file_kind { MM_FILE_KIND_LIST(MM_FILE_KIND_ENUM) };
#undef MM_FILE_KIND_ENUM

/** A file of ours, open for reading. Failures are remembered in `hdf5`; see files/hdf5/checked.h. */
struct mm_hdf5_file {
    struct mm_hdf5 hdf5;
    hid_t file;
    enum mm_file_kind kind;
};

/** Reads an attribute that holds one element of `type`. */
void mm_hdf5_read_attribute(struct mm_hdf5 *hdf5, hid_t object, const char *name, hid_t type, void *value);

/** Whether a file holds the object at an absolute path, "/group/name". */
bool mm_hdf5_has(const struct mm_hdf5_file *file, const char *path);

enum { MM_ARRAY_RANK_MAX = 5 };

/** An array of numbers, row-major, with its shape. Free with mm_hdf5_array_free. */
struct mm_hdf5_array {
    int rank;
    size_t length[MM_ARRAY_RANK_MAX];
    size_t count; /* of all elements */
    double *values;
};

/** Reads a whole dataset of numbers of any type as doubles.
 *  @param path  absolute, "/group/name"
 *  @param rank  that it must have
 *  @param array out; empty (count 0) after a failure
 *  A missing dataset, another rank or another type is the failure "PATH: .." with MM_ERROR_INPUT. */
void mm_hdf5_read_array(struct mm_hdf5_file *file, const char *path, int rank, struct mm_hdf5_array *array);

/** The same for any rank up to MM_ARRAY_RANK_MAX. */
void mm_hdf5_read_any_array(struct mm_hdf5_file *file, const char *path, struct mm_hdf5_array *array);

/** Records the failure "PATH: has the wrong shape" unless dimension `dimension` of the array has this length. */
void mm_hdf5_check_length(struct mm_hdf5_file *file, const char *path, const struct mm_hdf5_array *array,
                          int dimension, size_t length);

void mm_hdf5_array_free(struct mm_hdf5_array *array);

/** Texts of a one-dimensional dataset. Free with mm_hdf5_texts_free. */
struct mm_hdf5_texts {
    size_t count;
    char **texts; /* [count], never NULL */
};

/** Reads a one-dimensional dataset of texts of variable length. */
void mm_hdf5_read_texts(struct mm_hdf5_file *file, const char *path, struct mm_hdf5_texts *texts);

void mm_hdf5_texts_free(struct mm_hdf5_texts *texts);

#endif
