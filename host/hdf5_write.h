/* hdf5_write.h - writing our HDF5 files: attributes, groups, described datasets with their axes, files in memory.
 */
#ifndef MM_HDF5_WRITE_H
#define MM_HDF5_WRITE_H

#include "hdf5_checked.h"
#include "output_file.h"

enum { MM_DATASET_RANK_MAX = 5 };

/** What a dataset is called, what it holds and along which axes it runs. */
struct mm_dataset {
    hid_t group;
    const char *name;
    const char *units;
    const char *long_name;
    int rank;
    hsize_t length[MM_DATASET_RANK_MAX];
    hid_t scale[MM_DATASET_RANK_MAX]; /* dataset of the axis of each dimension; 0 or less: none */
    bool grows[MM_DATASET_RANK_MAX];  /* dimensions that mm_hdf5_append may extend; `chunk` is then needed */
    hsize_t chunk[MM_DATASET_RANK_MAX];
    bool blank_is_nan; /* of doubles: elements never written read as NaN, not 0 */
};

/** Text of variable length in UTF-8, which h5py reads as text. Close with H5Tclose. */
hid_t mm_hdf5_text_type(struct mm_hdf5 *hdf5);

/** A complex number of two reals of that type, as h5py and NumPy read it. Close with H5Tclose. */
hid_t mm_hdf5_complex_type(struct mm_hdf5 *hdf5, hid_t real);

/** Writes a scalar attribute, replacing one of that name. */
void mm_hdf5_write_attribute(struct mm_hdf5 *hdf5, hid_t object, const char *name, hid_t type, const void *value);
void mm_hdf5_write_text(struct mm_hdf5 *hdf5, hid_t object, const char *name, const char *text);

/** Creates a group below `parent`; close with H5Gclose. */
hid_t mm_hdf5_create_group(struct mm_hdf5 *hdf5, hid_t parent, const char *name);

/** Creates a dataset, attaches its axes and describes it; large ones are compressed. Close with H5Dclose. */
hid_t mm_hdf5_create_dataset(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type);

/** Creates, writes and closes a dataset. */
void mm_hdf5_write_dataset(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type,
                           hid_t memory_type, const void *values);

/** Creates a dataset of doubles (int64 numbers), fills it and makes it a dimension scale. Close with H5Dclose. */
hid_t mm_hdf5_write_axis(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type, hid_t memory_type,
                         const void *values);

/** Writes a block at `start` of a dataset of that rank, extending the dimensions that it reaches beyond.
 *  @param values  [extent[0]][extent[1]]..; not read where an extent is 0 */
void mm_hdf5_put_block(struct mm_hdf5 *hdf5, hid_t dataset, const char *name, int rank, const hsize_t *start,
                       const hsize_t *extent, hid_t memory_type, const void *values);

/** Creates a file in memory: HDF5 cannot recover from a full disk, and may crash at exit. */
hid_t mm_hdf5_create_in_memory(struct mm_hdf5 *hdf5);

/** Opens a copy of an open file in memory, to be changed there; the file itself stays as it is. */
hid_t mm_hdf5_copy_in_memory(struct mm_hdf5 *hdf5, hid_t file);

/** Copies a file in memory to the disk; the file stays open. */
void mm_hdf5_copy_to_disk(struct mm_hdf5 *hdf5, hid_t file, const struct mm_output_file *output);

/** What the root of every file of ours tells about its run. Texts are borrowed. */
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

#endif
