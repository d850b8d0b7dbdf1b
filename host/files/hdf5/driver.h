/* driver.h - HDF5 files written straight to the disk, whose failed writes are told after a clean close. */
#ifndef MM_FILES_HDF5_DRIVER_H
#define MM_FILES_HDF5_DRIVER_H

#include "files/hdf5/checked.h"
#include "disk/output_file.h"

/** The file on the disk behind an HDF5 file that is being written. It stays where it is until that is closed. */
struct mm_hdf5_disk {
    int descriptor;
    int failure; /* errno of the first write that failed; nothing is written after it */
};

/** Creates an HDF5 file in the temporary file of an output. Unlike a file in memory its size is limited by the disk
 * only, and unlike HDF5's own files it survives a full one. To be closed with mm_hdf5_close_on_disk. */
hid_t mm_hdf5_create_on_disk(struct mm_hdf5 *hdf5, const struct mm_output_file *output, struct mm_hdf5_disk *disk);

/** Opens the HDF5 file that the temporary file of an output holds already, to be changed. To be closed in the same
 * way. */
hid_t mm_hdf5_open_on_disk(struct mm_hdf5 *hdf5, const struct mm_output_file *output, struct mm_hdf5_disk *disk);

/** Opens the file again after H5Fclose alone; it need not have a name any more. */
hid_t mm_hdf5_reopen_on_disk(struct mm_hdf5 *hdf5, struct mm_hdf5_disk *disk);

/** Records the failure "PATH: writing failed: .." with MM_ERROR_SYSTEM if a write has failed so far: to be called
 * now and then, as HDF5 itself is not told. */
void mm_hdf5_check_disk(struct mm_hdf5 *hdf5, const struct mm_hdf5_disk *disk);

/** Closes the file, syncs it, and records a failed write as mm_hdf5_check_disk does. All its objects must be
 * closed. */
void mm_hdf5_close_on_disk(struct mm_hdf5 *hdf5, hid_t file, struct mm_hdf5_disk *disk);

#endif
