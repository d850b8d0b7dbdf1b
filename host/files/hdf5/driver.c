/* driver.c - HDF5 files written straight to the disk, whose failed writes are told after a clean close.
 *
 * HDF5 keeps what it has not written yet, and so cannot close a file after a failed write: it leaks the file, or
 * crashes at exit (1.10). This driver tells it that every write went well, remembers the first failure, and
 * writes nothing after it; the file is then closed as usual and thrown away. What was not written reads as zeros.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/hdf5/driver.h"
#include "files/hdf5/write.h"
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

/* What HDF5 knows of an open file: its own part comes first. */
struct open_file {
    H5FD_t own;
    struct mm_hdf5_disk *disk;
    haddr_t allocated; /* end of what HDF5 has given out */
    haddr_t written;   /* end of what it has written */
};

static H5FD_t *open_file(const char *name, unsigned flags, hid_t access, haddr_t largest)
{
    (void)name;
    (void)flags;
    (void)largest;
    struct mm_hdf5_disk *const *disk = H5Pget_driver_info(access);
    struct open_file *file = disk == NULL ? NULL : calloc(1, sizeof *file);
    if (file == NULL)
        return NULL;
    struct stat status;
    file->disk = *disk;
    if (fstat(file->disk->descriptor, &status) != 0) {
        free(file);
        return NULL;
    }
    file->written = (haddr_t)status.st_size;
    return &file->own;
}

static herr_t close_file(H5FD_t *own)
{
    free(own);
    return 0;
}

static herr_t query(const H5FD_t *own, unsigned long *features)
{
    (void)own;
    *features = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
                H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t get_allocated(const H5FD_t *own, H5FD_mem_t type)
{
    (void)type;
    return ((const struct open_file *)own)->allocated;
}

static herr_t set_allocated(H5FD_t *own, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    ((struct open_file *)own)->allocated = end;
    return 0;
}

static haddr_t get_written(const H5FD_t *own, H5FD_mem_t type)
{
    (void)type;
    return ((const struct open_file *)own)->written;
}

static herr_t read_bytes(H5FD_t *own, H5FD_mem_t type, hid_t transfer, haddr_t start, size_t size, void *bytes)
{
    (void)type;
    (void)transfer;
    const struct mm_hdf5_disk *disk = ((const struct open_file *)own)->disk;
    for (size_t done = 0; done < size;) {
        ssize_t count = pread(disk->descriptor, (char *)bytes + done, size - done, (off_t)(start + done));
        if (count < 0 && errno != EINTR)
            return -1;
        if (count == 0) {
            memset((char *)bytes + done, 0, size - done);
            return 0;
        }
        done += count > 0 ? (size_t)count : 0;
    }
    return 0;
}

static bool write_all(int descriptor, const char *bytes, size_t size, off_t start)
{
    while (size > 0) {
        ssize_t count = pwrite(descriptor, bytes, size, start);
        if (count < 0 && errno != EINTR)
            return false;
        size_t written = count > 0 ? (size_t)count : 0;
        bytes += written;
        start += (off_t)written;
        size -= written;
    }
    return true;
}

static herr_t write_bytes(H5FD_t *own, H5FD_mem_t type, hid_t transfer, haddr_t start, size_t size,
                          const void *bytes)
{
    (void)type;
    (void)transfer;
    struct open_file *file = (struct open_file *)own;
    if (file->disk->failure == 0 && !write_all(file->disk->descriptor, bytes, size, (off_t)start))
        file->disk->failure = errno;
    if (file->written < start + size)
        file->written = start + size;
    return 0;
}

/* The file ends where HDF5's space does, written or not: it looks at that when it opens the file again. */
static herr_t set_size(H5FD_t *own, hid_t transfer, hbool_t closing)
{
    (void)transfer;
    (void)closing;
    struct open_file *file = (struct open_file *)own;
    if (file->disk->failure == 0 && ftruncate(file->disk->descriptor, (off_t)file->allocated) != 0)
        file->disk->failure = errno;
    file->written = file->allocated;
    return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)H5_VFD_RESERVED, /* the first that is not HDF5's own */
#endif
    .name = "micromaser_disk",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct mm_hdf5_disk *),
    .open = open_file,
    .close = close_file,
    .query = query,
    .get_eoa = get_allocated,
    .set_eoa = set_allocated,
    .get_eof = get_written,
    .read = read_bytes,
    .write = write_bytes,
    .truncate = set_size,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* Opens the descriptor of the temporary file of an output. */
static bool open_descriptor(struct mm_hdf5 *hdf5, const struct mm_output_file *output, int flags,
                            struct mm_hdf5_disk *disk)
{
    *disk = (struct mm_hdf5_disk){.descriptor = open(output->temporary, O_RDWR | O_CLOEXEC | flags)};
    if (disk->descriptor >= 0)
        return true;
    disk->failure = errno;
    mm_hdf5_check_disk(hdf5, disk);
    return false;
}

/* Properties of files that this driver opens. Close with H5Pclose. */
static hid_t driver_access(struct mm_hdf5 *hdf5, const struct mm_hdf5_disk *disk)
{
    hid_t access = mm_hdf5_access(hdf5);
    hid_t identifier = mm_hdf5_check(hdf5, H5FDregister(&driver), "open", "file");
    mm_hdf5_check(hdf5, H5Pset_driver(access, identifier, &disk), "open", "file");
    mm_hdf5_close(hdf5, identifier, H5FDunregister, "file driver"); /* the properties keep it */
    return access;
}

hid_t mm_hdf5_create_on_disk(struct mm_hdf5 *hdf5, const struct mm_output_file *output, struct mm_hdf5_disk *disk)
{
    if (!open_descriptor(hdf5, output, O_TRUNC, disk))
        return -1;
    hid_t access = driver_access(hdf5, disk);
    hid_t file =
        mm_hdf5_check(hdf5, H5Fcreate(output->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, access), "create", "file");
    mm_hdf5_close(hdf5, access, H5Pclose, "file");
    return file;
}

hid_t mm_hdf5_open_on_disk(struct mm_hdf5 *hdf5, const struct mm_output_file *output, struct mm_hdf5_disk *disk)
{
    return open_descriptor(hdf5, output, 0, disk) ? mm_hdf5_reopen_on_disk(hdf5, disk) : -1;
}

hid_t mm_hdf5_reopen_on_disk(struct mm_hdf5 *hdf5, struct mm_hdf5_disk *disk)
{
    hid_t access = driver_access(hdf5, disk);
    hid_t file = mm_hdf5_check(hdf5, H5Fopen(hdf5->path, H5F_ACC_RDWR, access), "open", "file");
    mm_hdf5_close(hdf5, access, H5Pclose, "file");
    return file;
}

void mm_hdf5_check_disk(struct mm_hdf5 *hdf5, const struct mm_hdf5_disk *disk)
{
    char reason[MM_ERROR_MESSAGE_SIZE];
    if (disk->failure == 0)
        return;
    snprintf(reason, sizeof reason, "writing failed: %s", strerror(disk->failure));
    hdf5->status = MM_OK; /* this is what is told, not what HDF5 may have stumbled over in consequence */
    mm_hdf5_fail(hdf5, MM_ERROR_SYSTEM, reason);
}

void mm_hdf5_close_on_disk(struct mm_hdf5 *hdf5, hid_t file, struct mm_hdf5_disk *disk)
{
    mm_hdf5_close(hdf5, file, H5Fclose, "file");
    if (disk->failure == 0 && fsync(disk->descriptor) != 0)
        disk->failure = errno;
    if (disk->descriptor >= 0 && close(disk->descriptor) != 0 && disk->failure == 0)
        disk->failure = errno;
    mm_hdf5_check_disk(hdf5, disk);
}
