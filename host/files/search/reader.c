/* reader.c - the rows of a result file, as records.
 *
 * Rows are read a chunk of all columns at a time and kept, so that rows asked for one by one are not read again and
 * again. What is sound is told by the checksum of each row, which mm_chain_record_check compares, and which finds
 * what those of HDF5 miss. Rows of a chunk that cannot even be unpacked become zeros.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/hdf5/root.h"
#include "files/hdf5/read.h"
#include "files/search/reader.h"
#include "files/search/types.h"
#include "chain/grid.h"

enum {
    BLOCK_BYTES = 16 * 1024 * 1024 /* of the kept rows, at most: a damaged file may claim any size of a chunk */
};

/* A column of /chains: where it lies in a record. */
struct column {
    size_t offset;
    size_t size;
    int rank;
    hid_t dataset;
    hid_t type;
};

struct mm_result_reader {
    struct mm_hdf5_file file;
    char *path;
    char *configuration;
    char *command_line;
    struct mm_result_description description;
    size_t batch_count;
    size_t record_size;
    int64_t rows;
    hid_t unchecked; /* properties of reading in spite of HDF5's checksums */
    size_t column_count;
    struct column *columns; /* [column_count]: those of mm_chain_columns, and the checksum */

    int64_t block_rows; /* rows of a chunk */
    int64_t first;      /* rows that are kept: [first, first + count) */
    int64_t count;
    unsigned char *records; /* [block_rows][record_size], without their numbers */
    char *values;           /* of one column */
};

/* ------------------------------------------------------------------------------------------- opening */

/* Copies a text attribute; NULL after a failure. */
static char *copy_text(struct mm_hdf5_file *file, const char *name)
{
    char *text = mm_hdf5_read_text(&file->hdf5, file->file, name);
    char *copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_MEMORY, "out of memory for its description");
    H5free_memory(text);
    return copy;
}

static void copy_short_text(struct mm_hdf5_file *file, const char *name, size_t size, char *value)
{
    char *text = mm_hdf5_read_text(&file->hdf5, file->file, name);
    if (text != NULL)
        snprintf(value, size, "%s", text);
    H5free_memory(text);
}

static void read_description(struct mm_result_reader *reader)
{
    struct mm_hdf5_file *file = &reader->file;
    struct mm_result_description *description = &reader->description;
    int8_t complete = 0;
    if (file->kind != MM_FILE_SEARCH)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "is not the result of a search");
    else if (!mm_hdf5_root_describes(file->file, "configuration"))
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "has no checksums: it is damaged, or of an earlier version");
    if (file->hdf5.status != MM_OK)
        return;
    reader->configuration = copy_text(file, "configuration");
    reader->command_line = copy_text(file, "command_line");
    copy_short_text(file, "backend", sizeof description->backend, description->backend);
    copy_short_text(file, "device", sizeof description->device, description->device);
    mm_hdf5_read_attribute(&file->hdf5, file->file, "seconds", H5T_NATIVE_DOUBLE, &description->seconds);
    mm_hdf5_read_attribute(&file->hdf5, file->file, "complete", H5T_NATIVE_INT8, &complete);
    description->configuration = reader->configuration;
    description->command_line = reader->command_line;
    description->complete = complete != 0;
}

/* Rows of a chunk of a dataset; all rows where it has none. */
static int64_t chunk_rows(struct mm_hdf5 *hdf5, hid_t dataset, int64_t rows)
{
    hsize_t chunk[3] = {0};
    hid_t properties = mm_hdf5_check(hdf5, H5Dget_create_plist(dataset), "open", "dataset");
    if (properties >= 0 && H5Pget_layout(properties) == H5D_CHUNKED)
        mm_hdf5_check(hdf5, H5Pget_chunk(properties, 3, chunk), "open", "dataset");
    mm_hdf5_close(hdf5, properties, H5Pclose, "dataset");
    return chunk[0] > 0 && chunk[0] < (hsize_t)rows ? (int64_t)chunk[0] : rows;
}

/* Opens a column and checks its shape. The first one is /chains/final, whose shape is that of the table. */
static void open_column(struct mm_result_reader *reader, const struct mm_chain_column *is, size_t offset)
{
    struct mm_hdf5 *hdf5 = &reader->file.hdf5;
    struct column *column = &reader->columns[reader->column_count++];
    char path[64];
    hsize_t length[3] = {0};
    snprintf(path, sizeof path, "/chains/%s", is->name);
    *column = (struct column){
        .offset = offset,
        .size = mm_chain_column_size(is, reader->batch_count),
        .rank = is->kind == MM_CHAIN_COLUMN_PARAMETERS ? 3 : 1,
        .dataset = mm_hdf5_check(hdf5, H5Dopen2(reader->file.file, path, H5P_DEFAULT), "open dataset", path),
        .type = mm_result_column_type(hdf5, is->kind),
    };
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(column->dataset), "open dataset", path);
    if (hdf5->status == MM_OK &&
        (H5Sget_simple_extent_ndims(space) != column->rank || H5Sget_simple_extent_dims(space, length, NULL) < 0 ||
         length[0] != (hsize_t)reader->rows ||
         (column->rank == 3 && (length[1] != reader->batch_count || length[2] != 2))))
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "is damaged: a column of /chains has the wrong shape");
    mm_hdf5_close(hdf5, space, H5Sclose, path);
}

static void find_shape(struct mm_result_reader *reader)
{
    static const char path[] = "/chains/final";
    struct mm_hdf5 *hdf5 = &reader->file.hdf5;
    hsize_t length[3] = {0};
    if (hdf5->status != MM_OK)
        return;
    hid_t dataset = mm_hdf5_check(hdf5, H5Dopen2(reader->file.file, path, H5P_DEFAULT), "open dataset", path);
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(dataset), "open dataset", path);
    if (hdf5->status == MM_OK &&
        (H5Sget_simple_extent_ndims(space) != 3 || H5Sget_simple_extent_dims(space, length, NULL) < 0 ||
         length[0] > INT64_MAX || length[1] < 1 || length[1] > MM_BATCHES_MAX || length[2] != 2))
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "is damaged: /chains/final has the wrong shape");
    if (hdf5->status == MM_OK) {
        reader->rows = (int64_t)length[0];
        reader->batch_count = length[1];
        reader->record_size = mm_chain_record_size(reader->batch_count);
        reader->block_rows = chunk_rows(hdf5, dataset, reader->rows);
    }
    mm_hdf5_close(hdf5, space, H5Sclose, path);
    mm_hdf5_close(hdf5, dataset, H5Dclose, path);
}

static void open_table(struct mm_result_reader *reader)
{
    static const struct mm_chain_column crc = {.name = "crc32", .kind = MM_CHAIN_COLUMN_UINT32};
    struct mm_hdf5 *hdf5 = &reader->file.hdf5;
    size_t offset = sizeof(int64_t); /* after the number of the chain */
    int64_t most = (int64_t)(BLOCK_BYTES / reader->record_size);
    reader->block_rows = reader->block_rows < most ? reader->block_rows : most;
    reader->columns = calloc(mm_chain_column_count + 1, sizeof *reader->columns);
    reader->records =
        malloc((size_t)reader->block_rows * reader->record_size + 1); /* + 1: never an empty request */
    reader->values = malloc((size_t)reader->block_rows * reader->record_size + 1);
    if (reader->columns == NULL || reader->records == NULL || reader->values == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a block of chains");
        return;
    }
    for (size_t i = 0; i < mm_chain_column_count; i++) {
        open_column(reader, &mm_chain_columns[i], offset);
        offset += mm_chain_column_size(&mm_chain_columns[i], reader->batch_count);
    }
    open_column(reader, &crc, offset);
    reader->unchecked = mm_hdf5_check(hdf5, H5Pcreate(H5P_DATASET_XFER), "prepare", "reading");
    mm_hdf5_check(hdf5, H5Pset_edc_check(reader->unchecked, H5Z_DISABLE_EDC), "prepare", "reading");
}

mm_status mm_result_reader_open(struct mm_result_reader **reader, const char *path, struct mm_error *error)
{
    struct mm_result_reader *opened = calloc(1, sizeof *opened);
    char *name = strdup(path);
    if (opened == NULL || name == NULL) {
        free(opened);
        free(name);
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", path);
    }
    opened->path = name;
    opened->unchecked = -1;
    mm_status status = mm_hdf5_file_open(&opened->file, name, error);
    if (status == MM_OK) {
        read_description(opened);
        find_shape(opened);
        if (opened->file.hdf5.status == MM_OK)
            open_table(opened);
        status = mm_hdf5_end(&opened->file.hdf5);
    }
    if (status != MM_OK)
        mm_result_reader_close(opened);
    else
        *reader = opened;
    return status;
}

void mm_result_reader_close(struct mm_result_reader *reader)
{
    if (reader == NULL)
        return;
    struct mm_hdf5 *hdf5 = &reader->file.hdf5;
    mm_hdf5_begin(hdf5, reader->path, MM_ERROR_INPUT, NULL);
    for (size_t i = 0; i < reader->column_count; i++) {
        mm_hdf5_close(hdf5, reader->columns[i].dataset, H5Dclose, "dataset");
        mm_hdf5_close(hdf5, reader->columns[i].type, H5Tclose, "type");
    }
    mm_hdf5_close(hdf5, reader->unchecked, H5Pclose, "properties");
    (void)mm_hdf5_file_close(&reader->file); /* only read from: nothing can be lost */
    free(reader->columns);
    free(reader->records);
    free(reader->values);
    free(reader->configuration);
    free(reader->command_line);
    free(reader->path);
    free(reader);
}

const struct mm_result_description *mm_result_reader_description(const struct mm_result_reader *reader)
{
    return &reader->description;
}

int64_t mm_result_reader_rows(const struct mm_result_reader *reader)
{
    return reader->rows;
}

/* ------------------------------------------------------------------------------------------- reading */

/* Finds out whether the innermost entry of HDF5's error stack tells of the file system or of memory. */
static herr_t find_system_error(unsigned depth, const H5E_error2_t *entry, void *context)
{
    bool *found = context;
    *found = *found || (depth == 0 && (entry->maj_num == H5E_IO || entry->maj_num == H5E_RESOURCE));
    return 0;
}

/* Reads a column; where a checksum of HDF5 is wrong, once more without: those of the rows tell which are sound. */
static bool read_column(const struct mm_result_reader *reader, const struct column *column, hid_t memory,
                        hid_t space)
{
    if (H5Dread(column->dataset, column->type, memory, space, H5P_DEFAULT, reader->values) >= 0)
        return true;
    return H5Dread(column->dataset, column->type, memory, space, reader->unchecked, reader->values) >= 0;
}

/* Reads the kept rows of a column into the records; false if the file is damaged there. */
static bool keep_column(struct mm_result_reader *reader, const struct column *column)
{
    struct mm_hdf5 *hdf5 = &reader->file.hdf5;
    hsize_t start[3] = {(hsize_t)reader->first};
    hsize_t extent[3] = {(hsize_t)reader->count, reader->batch_count, 2};
    hid_t memory = mm_hdf5_check(hdf5, H5Screate_simple(column->rank, extent, NULL), "read", "rows");
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(column->dataset), "read", "rows");
    mm_hdf5_check(hdf5, H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL), "read", "rows");
    bool sound = read_column(reader, column, memory, space);
    if (!sound) {
        bool system_error = false;
        H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, find_system_error, &system_error);
        if (system_error) /* what the disk may give next time must not be taken for lost */
            mm_hdf5_check(hdf5, -1, "read", "/chains");
    }
    for (int64_t i = 0; sound && i < reader->count; i++)
        memcpy(reader->records + (size_t)i * reader->record_size + column->offset,
               reader->values + (size_t)i * column->size, column->size);
    mm_hdf5_close(hdf5, space, H5Sclose, "rows");
    mm_hdf5_close(hdf5, memory, H5Sclose, "rows");
    return sound;
}

/* Keeps the chunk that a row lies in. */
static void keep_rows(struct mm_result_reader *reader, int64_t row)
{
    bool sound = true;
    reader->first = row / reader->block_rows * reader->block_rows;
    reader->count = reader->rows - reader->first;
    reader->count = reader->count < reader->block_rows ? reader->count : reader->block_rows;
    for (size_t i = 0; sound && i < reader->column_count; i++)
        sound = keep_column(reader, &reader->columns[i]);
    if (!sound)
        memset(reader->records, 0, (size_t)reader->count * reader->record_size);
    if (reader->file.hdf5.status != MM_OK)
        reader->count = 0;
}

mm_status mm_result_reader_read(struct mm_result_reader *reader, const struct mm_config *config, int64_t first,
                                int64_t count, unsigned char *records, struct mm_error *error)
{
    struct mm_hdf5 *hdf5 = &reader->file.hdf5;
    mm_hdf5_begin(hdf5, reader->path, MM_ERROR_SYSTEM, error);
    if (config->batch_count != reader->batch_count)
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "is damaged: its chains have another number of batches");
    for (int64_t i = 0; i < count && hdf5->status == MM_OK; i++) {
        int64_t row = first + i;
        unsigned char *record = records + (size_t)i * reader->record_size;
        if (row < reader->first || row >= reader->first + reader->count)
            keep_rows(reader, row);
        if (hdf5->status != MM_OK)
            break;
        memcpy(record, reader->records + (size_t)(row - reader->first) * reader->record_size, reader->record_size);
        struct mm_chain chain;
        mm_chain_record_place(config->batch_count, record, &chain);
        int64_t number = mm_grid_index_of(config, &chain);
        memcpy(record, &number, sizeof number);
    }
    return mm_hdf5_end(hdf5);
}
