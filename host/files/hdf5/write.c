/* write.c - writing our HDF5 files: attributes, groups, described datasets with their axes. */
#include <hdf5_hl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "files/hdf5/write.h"

enum {
    COMPRESSED_ABOVE = 64 * 1024, /* bytes above which a dataset is compressed */
    CHUNK_BYTES = 1024 * 1024,    /* bytes of one chunk, where the dataset does not say */
    DEFLATE_LEVEL = 4,
};

/* ----------------------------------------------------------------------------------------- attributes */

hid_t mm_hdf5_text_type(struct mm_hdf5 *hdf5)
{
    hid_t type = mm_hdf5_check(hdf5, H5Tcopy(H5T_C_S1), "create type", "string");
    mm_hdf5_check(hdf5, H5Tset_size(type, H5T_VARIABLE), "create type", "string");
    mm_hdf5_check(hdf5, H5Tset_cset(type, H5T_CSET_UTF8), "create type", "string");
    return type;
}

hid_t mm_hdf5_complex_type(struct mm_hdf5 *hdf5, hid_t real)
{
    const size_t size = H5Tget_size(real);
    hid_t type = mm_hdf5_check(hdf5, H5Tcreate(H5T_COMPOUND, 2 * size), "create type", "complex");
    mm_hdf5_check(hdf5, H5Tinsert(type, "r", 0, real), "create type", "complex");
    mm_hdf5_check(hdf5, H5Tinsert(type, "i", size, real), "create type", "complex");
    return type;
}

void mm_hdf5_write_attribute(struct mm_hdf5 *hdf5, hid_t object, const char *name, hid_t type, const void *value)
{
    hid_t space = mm_hdf5_check(hdf5, H5Screate(H5S_SCALAR), "create attribute", name);
    if (H5Aexists(object, name) > 0)
        mm_hdf5_check(hdf5, H5Adelete(object, name), "replace attribute", name);
    hid_t attribute = mm_hdf5_check(hdf5, H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT),
                                    "create attribute", name);
    mm_hdf5_check(hdf5, H5Awrite(attribute, type, value), "write attribute", name);
    mm_hdf5_close(hdf5, attribute, H5Aclose, name);
    mm_hdf5_close(hdf5, space, H5Sclose, name);
}

void mm_hdf5_write_text(struct mm_hdf5 *hdf5, hid_t object, const char *name, const char *text)
{
    hid_t type = mm_hdf5_text_type(hdf5);
    mm_hdf5_write_attribute(hdf5, object, name, type, &text);
    mm_hdf5_close(hdf5, type, H5Tclose, name);
}

/* ------------------------------------------------------------------------------------------- datasets */

hid_t mm_hdf5_create_group(struct mm_hdf5 *hdf5, hid_t parent, const char *name)
{
    return mm_hdf5_check(hdf5, H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "create group",
                         name);
}

/* Chunks of about CHUNK_BYTES, whole in the last dimensions; `bytes` enters as the size of an element. */
static void choose_chunks(const struct mm_dataset *dataset, size_t bytes, hsize_t *chunk)
{
    for (int d = dataset->rank; d-- > 0;) {
        hsize_t fitting = CHUNK_BYTES / bytes > 0 ? CHUNK_BYTES / bytes : 1;
        chunk[d] = dataset->length[d] < fitting ? dataset->length[d] : fitting;
        bytes *= chunk[d];
    }
}

/* Elements of a dataset as it is created. */
static size_t element_count(const struct mm_dataset *dataset)
{
    size_t count = 1;
    for (int d = 0; d < dataset->rank; d++)
        count *= dataset->length[d];
    return count;
}

/* Every chunk gets a checksum; HDF5 has none for what has no chunks, a single value or none at all, and for texts
 * of variable length. */
static void set_chunks(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t type, hid_t properties)
{
    hsize_t chunk[MM_DATASET_RANK_MAX];
    size_t bytes = element_count(dataset) * H5Tget_size(type);
    bool given = dataset->chunk[0] > 0;
    bool filtered = H5Tis_variable_str(type) == 0;
    if (dataset->rank == 0 || (!given && (bytes == 0 || !filtered)))
        return;
    if (given)
        memcpy(chunk, dataset->chunk, sizeof chunk);
    else
        choose_chunks(dataset, H5Tget_size(type), chunk);
    mm_hdf5_check(hdf5, H5Pset_chunk(properties, dataset->rank, chunk), "set chunks of", dataset->name);
    bool large = given || bytes > COMPRESSED_ABOVE;
    if (filtered && large && !dataset->incompressible && H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) {
        mm_hdf5_check(hdf5, H5Pset_shuffle(properties), "compress", dataset->name);
        mm_hdf5_check(hdf5, H5Pset_deflate(properties, DEFLATE_LEVEL), "compress", dataset->name);
    }
    if (filtered)
        mm_hdf5_check(hdf5, H5Pset_fletcher32(properties), "guard", dataset->name);
}

/* Storage of a dataset. Close with H5Pclose. */
static hid_t create_properties(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t type)
{
    hid_t properties = mm_hdf5_check(hdf5, H5Pcreate(H5P_DATASET_CREATE), "create dataset", dataset->name);
    const double nan = NAN;
    if (dataset->blank_is_nan)
        mm_hdf5_check(hdf5, H5Pset_fill_value(properties, H5T_NATIVE_DOUBLE, &nan), "create dataset",
                      dataset->name);
    set_chunks(hdf5, dataset, type, properties);
    return properties;
}

hid_t mm_hdf5_create_dataset(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type)
{
    hsize_t maximum[MM_DATASET_RANK_MAX];
    for (int d = 0; d < dataset->rank; d++)
        maximum[d] = dataset->grows[d] ? H5S_UNLIMITED : dataset->length[d];
    hid_t properties = create_properties(hdf5, dataset, file_type);
    hid_t space = mm_hdf5_check(hdf5, H5Screate_simple(dataset->rank, dataset->length, maximum), "create dataset",
                                dataset->name);
    hid_t created = mm_hdf5_check(
        hdf5, H5Dcreate2(dataset->group, dataset->name, file_type, space, H5P_DEFAULT, properties, H5P_DEFAULT),
        "create dataset", dataset->name);
    for (int d = 0; d < dataset->rank; d++)
        if (dataset->scale[d] > 0)
            mm_hdf5_check(hdf5, H5DSattach_scale(created, dataset->scale[d], (unsigned)d), "attach the axes of",
                          dataset->name);
    mm_hdf5_write_text(hdf5, created, "long_name", dataset->long_name);
    mm_hdf5_write_text(hdf5, created, "units", dataset->units);
    mm_hdf5_close(hdf5, space, H5Sclose, dataset->name);
    mm_hdf5_close(hdf5, properties, H5Pclose, dataset->name);
    return created;
}

void mm_hdf5_write_dataset(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type,
                           hid_t memory_type, const void *values)
{
    hid_t created = mm_hdf5_create_dataset(hdf5, dataset, file_type);
    mm_hdf5_check(hdf5, H5Dwrite(created, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), "write",
                  dataset->name);
    mm_hdf5_close(hdf5, created, H5Dclose, dataset->name);
}

hid_t mm_hdf5_create_axis(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type)
{
    hid_t created = mm_hdf5_create_dataset(hdf5, dataset, file_type);
    mm_hdf5_check(hdf5, H5DSset_scale(created, dataset->name), "make an axis of", dataset->name);
    return created;
}

hid_t mm_hdf5_write_axis(struct mm_hdf5 *hdf5, const struct mm_dataset *dataset, hid_t file_type, hid_t memory_type,
                         const void *values)
{
    hid_t created = mm_hdf5_create_axis(hdf5, dataset, file_type);
    mm_hdf5_check(hdf5, H5Dwrite(created, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), "write",
                  dataset->name);
    return created;
}

void mm_hdf5_link_axis(struct mm_hdf5 *hdf5, hid_t axis, hid_t group, const char *name)
{
    mm_hdf5_check(hdf5, H5Olink(axis, group, name, H5P_DEFAULT, H5P_DEFAULT), "link axis", name);
}

/* Extends a dataset so that it holds a block. */
static void make_room(struct mm_hdf5 *hdf5, hid_t dataset, const char *name, int rank, const hsize_t *start,
                      const hsize_t *extent)
{
    hsize_t length[MM_DATASET_RANK_MAX] = {0};
    bool extends = false;
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(dataset), "extend", name);
    mm_hdf5_check(hdf5, H5Sget_simple_extent_dims(space, length, NULL), "extend", name);
    mm_hdf5_close(hdf5, space, H5Sclose, name);
    for (int d = 0; d < rank; d++)
        if (start[d] + extent[d] > length[d]) {
            length[d] = start[d] + extent[d];
            extends = true;
        }
    if (extends)
        mm_hdf5_check(hdf5, H5Dset_extent(dataset, length), "extend", name);
}

void mm_hdf5_put_block(struct mm_hdf5 *hdf5, hid_t dataset, const char *name, int rank, const hsize_t *start,
                       const hsize_t *extent, hid_t memory_type, const void *values)
{
    for (int d = 0; d < rank; d++)
        if (extent[d] == 0)
            return;
    make_room(hdf5, dataset, name, rank, start, extent);
    hid_t memory = mm_hdf5_check(hdf5, H5Screate_simple(rank, extent, NULL), "write", name);
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(dataset), "write", name);
    mm_hdf5_check(hdf5, H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL), "write", name);
    mm_hdf5_check(hdf5, H5Dwrite(dataset, memory_type, memory, space, H5P_DEFAULT, values), "write", name);
    mm_hdf5_close(hdf5, space, H5Sclose, name);
    mm_hdf5_close(hdf5, memory, H5Sclose, name);
}

/* ----------------------------------------------------------------------------------------------- file */

hid_t mm_hdf5_access(struct mm_hdf5 *hdf5)
{
    hid_t access = mm_hdf5_check(hdf5, H5Pcreate(H5P_FILE_ACCESS), "create", "file");
    mm_hdf5_check(hdf5, H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), "create", "file");
    return access;
}
