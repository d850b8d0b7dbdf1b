/* result_resume.c - reads the finished chains of a result file back, to go on with the same search. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_read.h"
#include "result_schema.h"
#include "results.h"

enum { BLOCK_BYTES = 1024 * 1024 /* bytes read at once */ };

struct reader {
    struct mm_hdf5 hdf5;
    const struct mm_config *config;
    struct mm_results *results;
    hid_t file;
    size_t row_count; /* SIZE_MAX until known */
    int64_t *rows;    /* [row_count]: number of the chain of each row of /chains; -1 until claimed */
};

/* ----------------------------------------------------------------------------------------- attributes */

static void read_short_text(struct reader *reader, const char *name, size_t size, char *value)
{
    char *text = mm_hdf5_read_text(&reader->hdf5, reader->file, name);
    if (text != NULL)
        snprintf(value, size, "%s", text);
    H5free_memory(text);
}

/* ------------------------------------------------------------------------------------- configuration */

/* Characters of a line that a message shows. */
static int shown(const char *line)
{
    enum { SHOWN = 100 };
    size_t length = strcspn(line, "\n");
    return length < SHOWN ? (int)length : SHOWN;
}

void mm_hdf5_fail_on_difference(struct mm_hdf5 *hdf5, const char *what, const char *there, const char *here)
{
    const char *section = "";
    while (*there != '\0' && *here != '\0') {
        size_t length = strcspn(there, "\n");
        if (length != strcspn(here, "\n") || strncmp(there, here, length) != 0)
            break;
        if (*there == '[')
            section = there;
        there += length + (there[length] == '\n');
        here += length + (here[length] == '\n');
    }
    char reason[MM_ERROR_MESSAGE_SIZE];
    snprintf(reason, sizeof reason, "belongs to another %s: %.*s there '%.*s', here '%.*s'", what, shown(section),
             section, shown(there), there, shown(here), here);
    mm_hdf5_fail(hdf5, MM_ERROR_INPUT, reason);
}

static void check_identity(struct reader *reader)
{
    char *program = mm_hdf5_read_text(&reader->hdf5, reader->file, "program");
    char *configuration = mm_hdf5_read_text(&reader->hdf5, reader->file, "configuration");
    if (program != NULL && strcmp(program, MM_RESULT_PROGRAM) != 0)
        mm_hdf5_fail(&reader->hdf5, MM_ERROR_INPUT, "is not a result file of " MM_RESULT_PROGRAM);
    else if (configuration != NULL && strcmp(configuration, reader->config->text) != 0)
        mm_hdf5_fail_on_difference(&reader->hdf5, "configuration", configuration, reader->config->text);
    H5free_memory(program);
    H5free_memory(configuration);
}

/* ---------------------------------------------------------------------------------------------- table */

/* Opens a column of /chains and checks its shape; the first one opened says how many rows there are. */
static hid_t open_column(struct reader *reader, const struct mm_column *column)
{
    struct mm_hdf5 *hdf5 = &reader->hdf5;
    char path[64];
    snprintf(path, sizeof path, "/chains/%s", column->name);
    hid_t dataset = mm_hdf5_check(hdf5, H5Dopen2(reader->file, path, H5P_DEFAULT), "open dataset", path);
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(dataset), "open dataset", path);
    hsize_t length[3] = {0};
    int rank = column->kind == MM_COLUMN_PARAMETERS ? 3 : 1;
    bool right = H5Sget_simple_extent_ndims(space) == rank &&
                 H5Sget_simple_extent_dims(space, length, NULL) == rank &&
                 (rank == 1 || (length[1] == reader->results->batch_count && length[2] == 2));
    if (reader->row_count == SIZE_MAX)
        reader->row_count = length[0];
    if (!right || length[0] != reader->row_count || length[0] > (hsize_t)reader->results->chain_count)
        mm_hdf5_fail(hdf5, hdf5->failure, "is damaged: a column of /chains has the wrong shape");
    mm_hdf5_close(hdf5, space, H5Sclose, path);
    return dataset;
}

/* Reads rows [first, first + count) of a column into block. */
static void read_rows(struct reader *reader, const struct mm_column *column, hid_t dataset, hid_t type,
                      size_t first, size_t count, char *block)
{
    struct mm_hdf5 *hdf5 = &reader->hdf5;
    int rank = column->kind == MM_COLUMN_PARAMETERS ? 3 : 1;
    hsize_t start[3] = {first};
    hsize_t extent[3] = {count, reader->results->batch_count, 2};
    hid_t memory = mm_hdf5_check(hdf5, H5Screate_simple(rank, extent, NULL), "read", column->name);
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(dataset), "read", column->name);
    mm_hdf5_check(hdf5, H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL), "read",
                  column->name);
    mm_hdf5_check(hdf5, H5Dread(dataset, type, memory, space, H5P_DEFAULT, block), "read", column->name);
    mm_hdf5_close(hdf5, space, H5Sclose, column->name);
    mm_hdf5_close(hdf5, memory, H5Sclose, column->name);
}

/* Reads a column block by block into the chains of its rows. */
static void read_column(struct reader *reader, const struct mm_column *column)
{
    struct mm_hdf5 *hdf5 = &reader->hdf5;
    size_t batch_count = reader->results->batch_count;
    size_t size = mm_column_size(column, batch_count);
    size_t block_rows = size < BLOCK_BYTES ? BLOCK_BYTES / size : 1;
    char *block = malloc(block_rows * size);
    if (block == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a column");
        return;
    }
    hid_t type = mm_column_memory_type(hdf5, column->kind);
    hid_t dataset = open_column(reader, column);
    for (size_t first = 0; first < reader->row_count && hdf5->status == MM_OK; first += block_rows) {
        size_t count = reader->row_count - first < block_rows ? reader->row_count - first : block_rows;
        read_rows(reader, column, dataset, type, first, count, block);
        for (size_t i = 0; i < count && hdf5->status == MM_OK; i++)
            mm_column_put(column, batch_count, block + i * size, &reader->results->chains[reader->rows[first + i]]);
    }
    mm_hdf5_close(hdf5, dataset, H5Dclose, column->name);
    mm_hdf5_close(hdf5, type, H5Tclose, column->name);
    free(block);
}

/* Reads one of the columns that say where a chain stands: the first three of the table. */
static void read_place_column(struct reader *reader, const struct mm_column *column, int32_t **values)
{
    hid_t dataset = open_column(reader, column);
    if (reader->hdf5.status == MM_OK) {
        *values = calloc(reader->row_count + 1, sizeof **values); /* + 1: never an empty request */
        if (*values == NULL)
            mm_hdf5_fail(&reader->hdf5, MM_ERROR_MEMORY, "out of memory for a column");
        else if (reader->row_count > 0)
            read_rows(reader, column, dataset, H5T_NATIVE_INT32, 0, reader->row_count, (char *)*values);
    }
    mm_hdf5_close(&reader->hdf5, dataset, H5Dclose, column->name);
}

static bool in_grid(const struct mm_config *config, struct mm_chain_place place)
{
    return place.g_index >= 0 && (size_t)place.g_index < config->g_count && place.lambda_index >= 0 &&
           (size_t)place.lambda_index < config->lambda_count && place.start >= 0 && place.start < config->starts;
}

/* Finds the chain of each row and claims it in the results. */
static void claim_rows(struct reader *reader)
{
    struct mm_hdf5 *hdf5 = &reader->hdf5;
    int32_t *place[3] = {NULL};
    for (size_t i = 0; i < 3; i++)
        read_place_column(reader, &mm_columns[i], &place[i]);
    if (hdf5->status == MM_OK) {
        reader->rows = malloc((reader->row_count + 1) * sizeof *reader->rows);
        if (reader->rows == NULL)
            mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for the rows of /chains");
    }
    for (size_t i = 0; hdf5->status == MM_OK && i < reader->row_count; i++)
        reader->rows[i] = -1;
    for (size_t i = 0; hdf5->status == MM_OK && i < reader->row_count; i++) {
        struct mm_chain_place at = {place[0][i], place[1][i], place[2][i]};
        int64_t index = in_grid(reader->config, at) ? mm_results_index(reader->config, at) : -1;
        if (index < 0 || reader->results->chains[index].initial != NULL) {
            mm_hdf5_fail(hdf5, hdf5->failure, "is damaged: a row of /chains is outside the grid or repeated");
        } else {
            mm_results_claim(reader->results, reader->config, index);
            reader->rows[i] = index;
        }
    }
    for (size_t i = 0; i < 3; i++)
        free(place[i]);
}

static bool is_end(enum mm_stop_reason reason)
{
    switch (reason) {
#define CASE(name, text) case name:
        MM_STOP_REASON_LIST(CASE)
#undef CASE
        return reason != MM_RUNNING;
    }
    return false;
}

/* Marks the chains of all rows finished, or clears them after a failure. */
static void settle_rows(struct reader *reader)
{
    for (size_t i = 0; reader->rows != NULL && i < reader->row_count; i++) {
        int64_t index = reader->rows[i];
        if (reader->hdf5.status == MM_OK && !is_end(reader->results->chains[index].status))
            mm_hdf5_fail(&reader->hdf5, reader->hdf5.failure, "is damaged: a chain has an unknown status");
    }
    for (size_t i = 0; reader->rows != NULL && i < reader->row_count; i++) {
        struct mm_chain *chain = reader->rows[i] < 0 ? NULL : &reader->results->chains[reader->rows[i]];
        if (chain == NULL)
            continue;
        chain->finished = reader->hdf5.status == MM_OK;
        if (!chain->finished)
            *chain = (struct mm_chain){0};
    }
}

/* ----------------------------------------------------------------------------------------------- file */

mm_status mm_result_file_resume(const char *path, const struct mm_config *config, struct mm_results *results,
                                struct mm_error *error)
{
    struct reader reader = {.config = config, .results = results, .row_count = SIZE_MAX};
    struct mm_results run = {0}; /* the description of the earlier run */
    mm_status status = mm_check_regular_file(path, error);
    if (status != MM_OK)
        return status;
    mm_hdf5_begin(&reader.hdf5, path, MM_ERROR_INPUT, error);
    reader.file = mm_hdf5_check(&reader.hdf5, H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), "read", "HDF5 file");
    check_identity(&reader);
    read_short_text(&reader, "backend", sizeof run.backend, run.backend);
    read_short_text(&reader, "device", sizeof run.device, run.device);
    mm_hdf5_read_attribute(&reader.hdf5, reader.file, "seconds", H5T_NATIVE_DOUBLE, &run.seconds);
    claim_rows(&reader);
    for (size_t i = 0; reader.hdf5.status == MM_OK && i < mm_column_count; i++)
        read_column(&reader, &mm_columns[i]);
    mm_hdf5_close(&reader.hdf5, reader.file, H5Fclose, "file");
    settle_rows(&reader);
    free(reader.rows);
    status = mm_hdf5_end(&reader.hdf5);
    if (status != MM_OK)
        return status;
    memcpy(results->backend, run.backend, sizeof run.backend);
    memcpy(results->device, run.device, sizeof run.device);
    results->seconds = run.seconds;
    return MM_OK;
}
