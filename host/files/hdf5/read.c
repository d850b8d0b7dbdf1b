/* read.c - attributes and arrays of an HDF5 file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/hdf5/read.h"
#include "files/hdf5/write.h"

/* More than any of our datasets has; a damaged file may claim anything. */
static const size_t LARGEST_ARRAY = (size_t)1 << 28;

/* ----------------------------------------------------------------------------------------- attributes */

void mm_hdf5_read_attribute(struct mm_hdf5 *hdf5, hid_t object, const char *name, hid_t type, void *value)
{
    hid_t attribute = mm_hdf5_check(hdf5, H5Aopen(object, name, H5P_DEFAULT), "read attribute", name);
    hid_t space = mm_hdf5_check(hdf5, H5Aget_space(attribute), "read attribute", name);
    if (H5Sget_simple_extent_npoints(space) == 1)
        mm_hdf5_check(hdf5, H5Aread(attribute, type, value), "read attribute", name);
    else
        mm_hdf5_fail(hdf5, hdf5->failure, "an attribute is not a single value");
    mm_hdf5_close(hdf5, space, H5Sclose, name);
    mm_hdf5_close(hdf5, attribute, H5Aclose, name);
}

/* HDF5 looks up one link at a time: "/a/b" may be asked for only where "/a" is there. */
bool mm_hdf5_has(const struct mm_hdf5_file *file, const char *path)
{
    char *part = strdup(path);
    bool found = part != NULL;
    for (char *slash = part; found && slash != NULL;) {
        slash = strchr(slash + 1, '/');
        if (slash != NULL)
            *slash = '\0';
        found = H5Lexists(file->file, part, H5P_DEFAULT) > 0;
        if (slash != NULL)
            *slash = '/';
    }
    free(part);
    return found;
}

/* --------------------------------------------------------------------------------------------- arrays */

static void fail_on(struct mm_hdf5_file *file, const char *path, const char *reason)
{
    char message[MM_ERROR_MESSAGE_SIZE];
    snprintf(message, sizeof message, "%s %s", path, reason);
    mm_hdf5_fail(&file->hdf5, file->hdf5.failure, message);
}

static hid_t open_dataset(struct mm_hdf5_file *file, const char *path)
{
    if (file->hdf5.status == MM_OK && !mm_hdf5_has(file, path))
        fail_on(file, path, "is missing");
    if (file->hdf5.status != MM_OK)
        return -1;
    return mm_hdf5_check(&file->hdf5, H5Dopen2(file->file, path, H5P_DEFAULT), "open dataset", path);
}

/* Finds the shape of a dataset; false after a failure. */
static bool find_shape(struct mm_hdf5_file *file, const char *path, hid_t dataset, struct mm_hdf5_array *array)
{
    hsize_t length[MM_ARRAY_RANK_MAX] = {0};
    hid_t space = mm_hdf5_check(&file->hdf5, H5Dget_space(dataset), "open dataset", path);
    array->rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (array->rank < 0 || array->rank > MM_ARRAY_RANK_MAX ||
        H5Sget_simple_extent_dims(space, length, NULL) != array->rank)
        fail_on(file, path, "has the wrong number of dimensions");
    mm_hdf5_close(&file->hdf5, space, H5Sclose, path);
    array->count = 1;
    for (int d = 0; file->hdf5.status == MM_OK && d < array->rank; d++) {
        if (length[d] > LARGEST_ARRAY || array->count * length[d] > LARGEST_ARRAY)
            fail_on(file, path, "is too large");
        array->length[d] = length[d];
        array->count *= length[d];
    }
    return file->hdf5.status == MM_OK;
}

void mm_hdf5_read_any_array(struct mm_hdf5_file *file, const char *path, struct mm_hdf5_array *array)
{
    struct mm_hdf5 *hdf5 = &file->hdf5;
    *array = (struct mm_hdf5_array){0};
    hid_t dataset = open_dataset(file, path);
    if (dataset >= 0 && find_shape(file, path, dataset, array)) {
        array->values = calloc(array->count + 1, sizeof *array->values); /* + 1: never an empty request */
        if (array->values == NULL)
            mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a dataset");
        else
            mm_hdf5_check(hdf5, H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, array->values),
                          "read", path);
    }
    mm_hdf5_close(hdf5, dataset, H5Dclose, path);
    if (hdf5->status != MM_OK)
        mm_hdf5_array_free(array);
}

void mm_hdf5_read_array(struct mm_hdf5_file *file, const char *path, int rank, struct mm_hdf5_array *array)
{
    mm_hdf5_read_any_array(file, path, array);
    if (file->hdf5.status == MM_OK && array->rank != rank) {
        fail_on(file, path, "has the wrong number of dimensions");
        mm_hdf5_array_free(array);
    }
}

void mm_hdf5_check_length(struct mm_hdf5_file *file, const char *path, const struct mm_hdf5_array *array,
                          int dimension, size_t length)
{
    if (file->hdf5.status == MM_OK && array->length[dimension] != length)
        fail_on(file, path, "has the wrong shape");
}

void mm_hdf5_array_free(struct mm_hdf5_array *array)
{
    free(array->values);
    *array = (struct mm_hdf5_array){0};
}

/* ---------------------------------------------------------------------------------------------- texts */

/* Copies the texts that HDF5 owns; false if there is no memory. */
static bool copy_texts(size_t count, char *const *from, struct mm_hdf5_texts *texts)
{
    texts->texts = calloc(count + 1, sizeof *texts->texts);
    texts->count = texts->texts == NULL ? 0 : count;
    for (size_t i = 0; i < texts->count; i++) {
        texts->texts[i] = strdup(from[i] == NULL ? "" : from[i]);
        if (texts->texts[i] == NULL)
            return false;
    }
    return texts->texts != NULL;
}

void mm_hdf5_read_texts(struct mm_hdf5_file *file, const char *path, struct mm_hdf5_texts *texts)
{
    struct mm_hdf5 *hdf5 = &file->hdf5;
    struct mm_hdf5_array shape = {0};
    *texts = (struct mm_hdf5_texts){0};
    hid_t dataset = open_dataset(file, path);
    if (dataset < 0 || !find_shape(file, path, dataset, &shape)) {
        mm_hdf5_close(hdf5, dataset, H5Dclose, path);
        return;
    }
    if (shape.rank != 1)
        fail_on(file, path, "has the wrong number of dimensions");
    char **read = calloc(shape.count + 1, sizeof *read);
    hid_t type = mm_hdf5_text_type(hdf5);
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(dataset), "read", path);
    if (read == NULL)
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a dataset");
    if (hdf5->status == MM_OK &&
        mm_hdf5_check(hdf5, H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, read), "read", path) >= 0) {
        if (!copy_texts(shape.count, read, texts))
            mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a dataset");
        mm_hdf5_check(hdf5, H5Dvlen_reclaim(type, space, H5P_DEFAULT, read), "release", path);
    }
    free(read);
    mm_hdf5_close(hdf5, space, H5Sclose, path);
    mm_hdf5_close(hdf5, type, H5Tclose, path);
    mm_hdf5_close(hdf5, dataset, H5Dclose, path);
    if (hdf5->status != MM_OK)
        mm_hdf5_texts_free(texts);
}

void mm_hdf5_texts_free(struct mm_hdf5_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->texts[i]);
    free(texts->texts);
    *texts = (struct mm_hdf5_texts){0};
}
