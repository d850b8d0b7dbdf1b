/* check.c - whether a result file holds what follows from its chains and its configuration.
 *
 * Texts, which are labels, are not read: they have no checksum, and HDF5 may crash where they are damaged.
 *
 * What should be there is written to an HDF5 file in memory by the functions that write result files, and compared
 * dataset by dataset. Axes appear in several groups; looking at them again costs nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/hdf5/root.h"
#include "files/hdf5/write.h"
#include "files/search/check.h"
#include "files/search/tables.h"

enum { MEMORY_STEP = 1024 * 1024, PATH_SIZE = 96 };

/* A dataset of both files. */
struct pair {
    const char *path;
    struct mm_hdf5_file *expected;
    struct mm_hdf5_file *found;
    hid_t here;  /* in the expected file */
    hid_t there; /* in the file that is checked */
};

static void fail_on(const struct pair *pair, const char *reason)
{
    char message[PATH_SIZE + 64];
    snprintf(message, sizeof message, "%s %s", pair->path, reason);
    mm_hdf5_fail(&pair->found->hdf5, MM_ERROR_INPUT, message);
}

/* Whether the two have the same shape, and elements of the same type. */
static bool same_form(const struct pair *pair)
{
    hid_t spaces[2] = {H5Dget_space(pair->here), H5Dget_space(pair->there)};
    hid_t types[2] = {H5Dget_type(pair->here), H5Dget_type(pair->there)};
    bool same = H5Sextent_equal(spaces[0], spaces[1]) > 0 && H5Tequal(types[0], types[1]) > 0;
    for (int i = 0; i < 2; i++) {
        mm_hdf5_close(&pair->found->hdf5, spaces[i], H5Sclose, pair->path);
        mm_hdf5_close(&pair->found->hdf5, types[i], H5Tclose, pair->path);
    }
    return same;
}

static void compare_numbers(const struct pair *pair, hid_t type)
{
    struct mm_hdf5 *expected = &pair->expected->hdf5;
    struct mm_hdf5 *found = &pair->found->hdf5;
    hid_t space = mm_hdf5_check(expected, H5Dget_space(pair->here), "read", pair->path);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    mm_hdf5_close(expected, space, H5Sclose, pair->path);
    size_t size = count < 0 ? 0 : (size_t)count * H5Tget_size(type);
    char *here = malloc(size + 1); /* + 1: never an empty request */
    char *there = malloc(size + 1);
    if (here == NULL || there == NULL) {
        mm_hdf5_fail(expected, MM_ERROR_MEMORY, "out of memory for comparing a dataset");
    } else {
        mm_hdf5_check(expected, H5Dread(pair->here, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, here), "read", pair->path);
        mm_hdf5_check(found, H5Dread(pair->there, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, there), "read", pair->path);
        if (expected->status == MM_OK && found->status == MM_OK && memcmp(here, there, size) != 0)
            fail_on(pair, "holds other values than those that follow from /chains");
    }
    free(here);
    free(there);
}

static void compare_dataset(struct mm_hdf5_file *expected, struct mm_hdf5_file *found, const char *path)
{
    struct pair pair = {
        .path = path,
        .expected = expected,
        .found = found,
        .here = mm_hdf5_check(&expected->hdf5, H5Dopen2(expected->file, path, H5P_DEFAULT), "open dataset", path),
        .there = mm_hdf5_check(&found->hdf5, H5Dopen2(found->file, path, H5P_DEFAULT), "open dataset", path),
    };
    hid_t type = mm_hdf5_check(&expected->hdf5, H5Dget_type(pair.here), "open dataset", path);
    bool opened = expected->hdf5.status == MM_OK && found->hdf5.status == MM_OK;
    if (opened && !same_form(&pair))
        fail_on(&pair, "has the wrong shape or type");
    else if (opened && H5Tis_variable_str(type) <= 0)
        compare_numbers(&pair, type);
    mm_hdf5_close(&expected->hdf5, type, H5Tclose, path);
    mm_hdf5_close(&expected->hdf5, pair.here, H5Dclose, path);
    mm_hdf5_close(&found->hdf5, pair.there, H5Dclose, path);
}

/* Compares every dataset that the group `name` should hold. */
static void compare_group(struct mm_hdf5_file *expected, struct mm_hdf5_file *found, const char *name)
{
    char path[PATH_SIZE];
    H5G_info_t group = {0};
    mm_hdf5_check(&expected->hdf5, H5Gget_info_by_name(expected->file, name, &group, H5P_DEFAULT), "read", name);
    for (hsize_t i = 0; i < group.nlinks && expected->hdf5.status == MM_OK && found->hdf5.status == MM_OK; i++) {
        size_t used = (size_t)snprintf(path, sizeof path, "%s/", name);
        mm_hdf5_check(&expected->hdf5,
                      (hid_t)H5Lget_name_by_idx(expected->file, name, H5_INDEX_NAME, H5_ITER_INC, i, path + used,
                                                sizeof path - used, H5P_DEFAULT),
                      "read", name);
        compare_dataset(expected, found, path);
    }
}

/* The axis of /chains counts its rows; the checksums of the rows do not cover it. */
static void check_row_numbers(struct mm_hdf5_file *found)
{
    struct mm_hdf5_array numbers;
    mm_hdf5_read_array(found, "/chains/chain", 1, &numbers);
    for (size_t i = 0; i < numbers.count; i++)
        if (numbers.values[i] != (double)i)
            mm_hdf5_fail(&found->hdf5, MM_ERROR_INPUT, "/chains/chain does not count the rows");
    mm_hdf5_array_free(&numbers);
}

/* Creates an HDF5 file that never reaches the disk. HDF5 would first read a file of that name into memory, so it is
 * one that cannot be there. */
static hid_t create_in_memory(struct mm_hdf5 *hdf5)
{
    hid_t access = mm_hdf5_access(hdf5);
    mm_hdf5_check(hdf5, H5Pset_fapl_core(access, MEMORY_STEP, false), "create", "file in memory");
    hid_t file = mm_hdf5_check(hdf5, H5Fcreate("/dev/null/expected", H5F_ACC_TRUNC, H5P_DEFAULT, access), "create",
                               "file in memory");
    mm_hdf5_close(hdf5, access, H5Pclose, "file in memory");
    return file;
}

/* Status of the comparison: what is wrong with the file is its fault, what the disk does is not. */
static mm_status compare_file(struct mm_hdf5_file *expected, bool *sound, struct mm_error *fault,
                              struct mm_error *error)
{
    struct mm_hdf5_file found;
    mm_status status = mm_hdf5_file_open(&found, expected->hdf5.path, fault);
    if (status == MM_OK) {
        compare_group(expected, &found, "/grid");
        compare_group(expected, &found, "/protocol");
        compare_group(expected, &found, "/best");
        check_row_numbers(&found);
        status = mm_hdf5_file_close(&found);
    }
    *sound = status == MM_OK;
    return status == MM_ERROR_SYSTEM || status == MM_ERROR_MEMORY ? mm_fail(error, status, "%s", fault->message)
                                                                  : MM_OK;
}

mm_status mm_result_file_check(const char *path, struct mm_chain_source *source, bool *sound,
                               struct mm_error *fault, struct mm_error *error)
{
    struct mm_result_writer writer = {.source = source};
    mm_hdf5_begin(&writer.hdf5, path, MM_ERROR_HDF5, error);
    writer.file = create_in_memory(&writer.hdf5);
    mm_result_write_groups(&writer, false);
    struct mm_hdf5_file expected = {.hdf5 = writer.hdf5, .file = writer.file};
    mm_status compared = expected.hdf5.status;
    if (compared == MM_OK)
        compared = compare_file(&expected, sound, fault, error);
    mm_status status = mm_hdf5_file_close(&expected);
    return status == MM_OK ? compared : status;
}
