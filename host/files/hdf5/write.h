/* write.h - writing our HDF5 files: attributes, groups, described datasets with their axes. */
#ifndef MM_FILES_HDF5_WRITE_H
#define MM_FILES_HDF5_WRITE_H

#include "files/hdf5/checked.h"
#include "disk/output_file.h"

enum { MM_DATASET_RANK_MAX = 5 };

/** What a dataset is called, what it holds and along which axes it runs. */
struct mm_dataset {
    hid_t group;
    const char *name;
    const char *units;
    const char *long_name;
    int rank;
    hsize_t length[MM_DATASET_RANK_MAX];
    hid_t scale[MM_DATASET_RANK_MAX];   /* dataset of the axis of each dimension; 0 or less: none */
    bool grows[MM_DATASET_RANK_MAX];    /* dimensions that mm_hdf5_put_block may extend; `chunk` is then needed */
    hsize_t chunk[MM_DATASET_RANK_MAX]; /* 0: chosen here */
    bool blank_is_nan;                  /* of doubles: elements never written read as NaN, not 0 */
    bool incompressible;                /* all bits count: compressing costs more time than it saves space */
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

/** Creates a dataset, attaches its axes and describes it; every one has a checksum (Fletcher32), large ones are
 *  compressed. Close with H5Dclose. */
hid_t mm_hdf5_create_dataset(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type);

/** Creates, writes and closes a dataset. */
void mm_hdf5_write_dataset(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type,
                           hid_t memory_type, const void *values);

/** Creates a dataset and makes it a dimension scale. Close with H5Dclose. */
hid_t mm_hdf5_create_axis(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type);

/** The same, with its values. */
hid_t mm_hdf5_write_axis(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type, hid_t memory_type,
                         const void *values);

/** Gives a group the dataset of an axis under its name as well, so that netCDF, and so xarray, finds it there. */
void mm_hdf5_link_axis(struct mm_hdf5 *hdf5, hid_t axis, hid_t group, const char *name);

/** Writes a block at `start` of a dataset of that rank, extending the dimensions that it reaches beyond.
 *  @param values  [extent[0]][extent[1]]..; not read where an extent is 0 */
void mm_hdf5_put_block(struct mm_hdf5 *hdf5, hid_t dataset, const char *name, int rank, const hsize_t *start,
                       const hsize_t *extent, hid_t memory_type, const void *values);

/** Properties with which all our files are made: in the format that came with HDF5 1.10, which has checksums in all
 *  its structures but those of texts, whatever the library's version. Close with H5Pclose. */
hid_t mm_hdf5_access(struct mm_hdf5 *hdf5);

#endif
