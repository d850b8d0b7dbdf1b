/* result_file.c - writes the results of a search as one self-describing HDF5 file.
 *
 *   /          attributes: program, kind, version, git_commit, command_line, configuration, seed, backend, device,
 *              host, start_time, end_time, seconds, complete
 *   /grid      the axes as dimension scales: g, lambda, batch, parameter ("c", "q")
 *   /protocol  qubits [batch], fixed [batch]
 *   /chains    one row a finished chain, [chain] or [chain][batch][parameter]: the columns of result_schema.c
 *   /best      the same columns of the best chain of each grid point, [g][lambda] or [g][lambda][batch][parameter],
 *              with its row in /chains (chain), the finished chains there (finished) and how many of them agree
 * with the best (agree). Where no chain is finished: NaN, -1 or NO_FINISHED_CHAIN, and 0 chains
 *
 * Each group also holds the axes it uses, as hard links to those of /grid: netCDF, and so xarray, looks for an axis
 * only in the group of the data and above it. Every dataset has the attributes long_name and units.
 */
#include <hdf5_hl.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_read.h"
#include "hdf5_write.h"
#include "result_schema.h"
#include "results.h"

#ifndef MM_GIT_COMMIT
#define MM_GIT_COMMIT "unknown"
#endif

enum {
    BLOCK_BYTES = 1024 * 1024, /* bytes gathered for one write */
    MAX_RANK = 4,
};

enum axis { AXIS_G, AXIS_LAMBDA, AXIS_BATCH, AXIS_PARAMETER, AXIS_CHAIN, AXIS_COUNT };

static const char *const axis_names[AXIS_COUNT] = {"g", "lambda", "batch", "parameter", "chain"};

struct writer {
    struct mm_hdf5 hdf5;
    const struct mm_config *config;
    const struct mm_results *results;
    hid_t file;
    hsize_t length[AXIS_COUNT];
    hid_t scale[AXIS_COUNT]; /* the dataset of each axis, -1 until written */
    int64_t *chain_rows;     /* [length[AXIS_CHAIN]]: number of the chain in each row of /chains */
    int64_t *best_rows;      /* [g][lambda]: number of the best chain of each grid point, -1 for none */
    int64_t *agree;          /* [g][lambda] */
    int64_t *finished;       /* [g][lambda] */
};

/* What a dataset is called and along which axes it runs. */
struct shape {
    hid_t group;
    const char *name;
    const char *units;
    const char *long_name;
    int rank;
    enum axis axes[MAX_RANK];
};

/* ----------------------------------------------------------------------------------------------- root */

/* Here, because this file is compiled anew with every commit (MM_GIT_COMMIT). */
void mm_hdf5_write_root(struct mm_hdf5 *hdf5, hid_t file, const struct mm_file_root *root)
{
    int8_t complete = root->complete;
    mm_hdf5_write_text(hdf5, file, "program", MM_RESULT_PROGRAM);
    mm_hdf5_write_text(hdf5, file, "kind", root->kind);
    mm_hdf5_write_text(hdf5, file, "version", MM_VERSION);
    mm_hdf5_write_text(hdf5, file, "git_commit", MM_GIT_COMMIT);
    mm_hdf5_write_text(hdf5, file, "command_line", root->info->command_line);
    mm_hdf5_write_text(hdf5, file, "configuration", root->configuration);
    mm_hdf5_write_attribute(hdf5, file, "seed", H5T_NATIVE_UINT64, &root->seed);
    mm_hdf5_write_text(hdf5, file, "backend", root->backend);
    mm_hdf5_write_text(hdf5, file, "device", root->device);
    mm_hdf5_write_text(hdf5, file, "host", root->info->host);
    mm_hdf5_write_text(hdf5, file, "start_time", root->info->start_time);
    mm_hdf5_write_text(hdf5, file, "end_time", root->info->end_time);
    mm_hdf5_write_attribute(hdf5, file, "seconds", H5T_NATIVE_DOUBLE, &root->seconds);
    mm_hdf5_write_attribute(hdf5, file, "complete", H5T_NATIVE_INT8, &complete);
}

static void write_root(struct writer *writer, const struct mm_run_info *info)
{
    const struct mm_results *results = writer->results;
    const struct mm_file_root root = {
        .kind = mm_file_kind_text(MM_FILE_SEARCH),
        .configuration = writer->config->text,
        .seed = writer->config->seed,
        .backend = results->backend,
        .device = results->device,
        .info = info,
        .seconds = results->seconds,
        .complete = writer->length[AXIS_CHAIN] == (hsize_t)results->chain_count,
    };
    mm_hdf5_write_root(&writer->hdf5, writer->file, &root);
}

/* ------------------------------------------------------------------------------------------- datasets */

/* The dataset of a shape. */
static struct mm_dataset dataset_of(const struct writer *writer, const struct shape *shape)
{
    struct mm_dataset dataset = {
        .group = shape->group,
        .name = shape->name,
        .units = shape->units,
        .long_name = shape->long_name,
        .rank = shape->rank,
    };
    for (int d = 0; d < shape->rank; d++) {
        dataset.length[d] = writer->length[shape->axes[d]];
        dataset.scale[d] = writer->scale[shape->axes[d]];
    }
    return dataset;
}

static hid_t create_dataset(struct writer *writer, const struct shape *shape, hid_t type)
{
    const struct mm_dataset dataset = dataset_of(writer, shape);
    return mm_hdf5_create_dataset(&writer->hdf5, &dataset, type);
}

static void write_whole(struct writer *writer, const struct shape *shape, hid_t file_type, hid_t memory_type,
                        const void *values)
{
    const struct mm_dataset dataset = dataset_of(writer, shape);
    mm_hdf5_write_dataset(&writer->hdf5, &dataset, file_type, memory_type, values);
}

static hid_t create_group(struct writer *writer, const char *name)
{
    return mm_hdf5_create_group(&writer->hdf5, writer->file, name);
}

/* ----------------------------------------------------------------------------------------------- axes */

/* Writes the dataset of an axis and makes it a dimension scale; it stays open until the file is closed. */
static void write_axis(struct writer *writer, hid_t group, enum axis axis, hid_t file_type, hid_t memory_type,
                       const void *values, const char *long_name)
{
    const struct shape shape = {group, axis_names[axis], "1", long_name, 1, {axis}};
    const struct mm_dataset dataset = dataset_of(writer, &shape);
    writer->scale[axis] = mm_hdf5_write_axis(&writer->hdf5, &dataset, file_type, memory_type, values);
}

static void link_axis(struct writer *writer, hid_t group, enum axis axis)
{
    mm_hdf5_check(&writer->hdf5, H5Olink(writer->scale[axis], group, axis_names[axis], H5P_DEFAULT, H5P_DEFAULT),
                  "link axis", axis_names[axis]);
}

static void write_numbered_axis(struct writer *writer, hid_t group, enum axis axis, int64_t first,
                                const char *long_name)
{
    size_t length = writer->length[axis];
    int64_t *numbers = malloc((length + 1) * sizeof *numbers); /* + 1: never an empty request */
    if (numbers == NULL) {
        mm_hdf5_fail(&writer->hdf5, MM_ERROR_MEMORY, "out of memory for an axis");
        return;
    }
    for (size_t i = 0; i < length; i++)
        numbers[i] = first + (int64_t)i;
    write_axis(writer, group, axis, H5T_STD_I64LE, H5T_NATIVE_INT64, numbers, long_name);
    free(numbers);
}

static void write_grid(struct writer *writer)
{
    static const char *const parameters[] = {"c", "q"};
    hid_t group = create_group(writer, "grid");
    write_axis(writer, group, AXIS_G, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, writer->config->g,
               "coupling constant g (times tau, Eq. 4)");
    write_axis(writer, group, AXIS_LAMBDA, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, writer->config->lambda,
               "weight lambda of the instability (Eq. 11)");
    write_numbered_axis(writer, group, AXIS_BATCH, 1, "number of the batch, in the order of the collisions");
    hid_t string = mm_hdf5_text_type(&writer->hdf5);
    write_axis(writer, group, AXIS_PARAMETER, string, string, parameters,
               "coherence c and ground-state population q of the qubits");
    mm_hdf5_close(&writer->hdf5, string, H5Tclose, "string");
    mm_hdf5_close(&writer->hdf5, group, H5Gclose, "grid");
}

static void write_protocol(struct writer *writer)
{
    const struct mm_config *config = writer->config;
    int64_t *qubits = malloc(config->batch_count * sizeof *qubits);
    int8_t *fixed = malloc(config->batch_count * sizeof *fixed);
    if (qubits == NULL || fixed == NULL) {
        mm_hdf5_fail(&writer->hdf5, MM_ERROR_MEMORY, "out of memory for the protocol");
    } else {
        for (size_t b = 0; b < config->batch_count; b++) {
            qubits[b] = config->batches[b].qubits;
            fixed[b] = config->batches[b].fixed;
        }
        hid_t group = create_group(writer, "protocol");
        struct shape qubits_shape = {group, "qubits", "1", "number of qubits of each batch", 1, {AXIS_BATCH}};
        struct shape fixed_shape = {group, "fixed",     "1", "1: c and q are held, 0: they are optimised",
                                    1,     {AXIS_BATCH}};
        link_axis(writer, group, AXIS_BATCH);
        write_whole(writer, &qubits_shape, H5T_STD_I64LE, H5T_NATIVE_INT64, qubits);
        write_whole(writer, &fixed_shape, H5T_STD_I8LE, H5T_NATIVE_INT8, fixed);
        mm_hdf5_close(&writer->hdf5, group, H5Gclose, "protocol");
    }
    free(qubits);
    free(fixed);
}

/* --------------------------------------------------------------------------------------------- tables */

/* Gathers steps [first, first + count) of the first dimension of a column and writes them. */
static void write_block(struct writer *writer, const struct mm_column *column, hid_t dataset, hid_t type,
                        const struct shape *shape, const int64_t *rows, hsize_t first, hsize_t count, char *block)
{
    hsize_t start[MAX_RANK] = {first};
    hsize_t extent[MAX_RANK] = {count};
    for (int d = 1; d < shape->rank; d++)
        extent[d] = writer->length[shape->axes[d]];
    size_t rows_per_step = shape->axes[0] == AXIS_G ? writer->length[AXIS_LAMBDA] : 1;
    size_t size = mm_column_size(column, writer->results->batch_count);
    for (size_t i = 0; i < count * rows_per_step; i++) {
        int64_t index = rows[first * rows_per_step + i];
        mm_column_take(column, writer->results->batch_count, index < 0 ? NULL : &writer->results->chains[index],
                       block + i * size);
    }
    struct mm_hdf5 *hdf5 = &writer->hdf5;
    hid_t memory = mm_hdf5_check(hdf5, H5Screate_simple(shape->rank, extent, NULL), "write", column->name);
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(dataset), "write", column->name);
    mm_hdf5_check(hdf5, H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL), "write",
                  column->name);
    mm_hdf5_check(hdf5, H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, block), "write", column->name);
    mm_hdf5_close(hdf5, space, H5Sclose, column->name);
    mm_hdf5_close(hdf5, memory, H5Sclose, column->name);
}

/* Writes one column of a table whose rows are the chains numbered in `rows`, in blocks, so that memory stays small.
 */
static void write_column(struct writer *writer, const struct mm_column *column, const struct shape *table,
                         const int64_t *rows)
{
    struct mm_hdf5 *hdf5 = &writer->hdf5;
    struct shape shape = *table;
    shape.name = column->name;
    shape.units = column->units;
    shape.long_name = column->long_name;
    if (column->kind == MM_COLUMN_PARAMETERS) {
        shape.axes[shape.rank++] = AXIS_BATCH;
        shape.axes[shape.rank++] = AXIS_PARAMETER;
    }
    hsize_t steps = writer->length[shape.axes[0]];
    size_t step_bytes = mm_column_size(column, writer->results->batch_count) *
                        (shape.axes[0] == AXIS_G ? writer->length[AXIS_LAMBDA] : 1);
    hsize_t block_steps = step_bytes < BLOCK_BYTES ? BLOCK_BYTES / step_bytes : 1;
    char *block = malloc(block_steps * step_bytes);
    if (block == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a column");
        return;
    }
    hid_t file_type = mm_column_file_type(hdf5, column->kind);
    hid_t memory_type = mm_column_memory_type(hdf5, column->kind);
    hid_t dataset = create_dataset(writer, &shape, file_type);
    for (hsize_t first = 0; first < steps && hdf5->status == MM_OK; first += block_steps) {
        hsize_t count = steps - first < block_steps ? steps - first : block_steps;
        write_block(writer, column, dataset, memory_type, &shape, rows, first, count, block);
    }
    mm_hdf5_close(hdf5, dataset, H5Dclose, column->name);
    mm_hdf5_close(hdf5, memory_type, H5Tclose, column->name);
    mm_hdf5_close(hdf5, file_type, H5Tclose, column->name);
    free(block);
}

static void write_chains(struct writer *writer)
{
    hid_t group = create_group(writer, "chains");
    struct shape table = {.group = group, .rank = 1, .axes = {AXIS_CHAIN}};
    write_numbered_axis(writer, group, AXIS_CHAIN, 0, "row of the table of finished chains");
    link_axis(writer, group, AXIS_BATCH);
    link_axis(writer, group, AXIS_PARAMETER);
    for (size_t i = 0; i < mm_column_count; i++)
        write_column(writer, &mm_columns[i], &table, writer->chain_rows);
    mm_hdf5_close(&writer->hdf5, group, H5Gclose, "chains");
}

/* Turns the best chain of each grid point from its number in the search into its row in /chains. Both lists
 * ascend. */
static void find_best_in_chains(const struct writer *writer, size_t cells, int64_t *rows)
{
    int64_t row = 0;
    for (size_t i = 0; i < cells; i++) {
        while (writer->best_rows[i] >= 0 && writer->chain_rows[row] < writer->best_rows[i])
            row++;
        rows[i] = writer->best_rows[i] < 0 ? -1 : row;
    }
}

static void write_counts(struct writer *writer, const struct shape *table)
{
    size_t cells = writer->length[AXIS_G] * writer->length[AXIS_LAMBDA];
    int64_t *rows = malloc(cells * sizeof *rows);
    if (rows == NULL) {
        mm_hdf5_fail(&writer->hdf5, MM_ERROR_MEMORY, "out of memory for the best chains");
        return;
    }
    find_best_in_chains(writer, cells, rows);
    const struct {
        const char *name;
        const char *long_name;
        const int64_t *values;
    } counts[] = {
        {"chain", "row of the best chain in /chains", rows},
        {"agree", "finished chains whose loss is within 1e-6 max(1, |loss|) of the best", writer->agree},
        {"finished", "finished chains", writer->finished},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct shape shape = *table;
        shape.name = counts[i].name;
        shape.units = "1";
        shape.long_name = counts[i].long_name;
        write_whole(writer, &shape, H5T_STD_I64LE, H5T_NATIVE_INT64, counts[i].values);
    }
    free(rows);
}

static void write_best(struct writer *writer)
{
    hid_t group = create_group(writer, "best");
    struct shape table = {.group = group, .rank = 2, .axes = {AXIS_G, AXIS_LAMBDA}};
    for (enum axis axis = AXIS_G; axis <= AXIS_PARAMETER; axis++)
        link_axis(writer, group, axis);
    for (size_t i = 0; i < mm_column_count; i++)
        if (mm_columns[i].in_best)
            write_column(writer, &mm_columns[i], &table, writer->best_rows);
    write_counts(writer, &table);
    mm_hdf5_close(&writer->hdf5, group, H5Gclose, "best");
}

/* ----------------------------------------------------------------------------------------------- file */

/* Lists the rows of /chains and /best. */
static mm_status list_rows(struct writer *writer, struct mm_error *error)
{
    const struct mm_config *config = writer->config;
    const struct mm_results *results = writer->results;
    size_t cells = config->g_count * config->lambda_count;
    size_t chains = (size_t)mm_results_finished(results);
    writer->chain_rows = calloc(chains + 1, sizeof *writer->chain_rows); /* + 1: never an empty request */
    writer->best_rows = calloc(cells, sizeof *writer->best_rows);
    writer->agree = calloc(cells, sizeof *writer->agree);
    writer->finished = calloc(cells, sizeof *writer->finished);
    if (writer->chain_rows == NULL || writer->best_rows == NULL || writer->agree == NULL ||
        writer->finished == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the rows of %zu finished chains", chains);
    for (int64_t i = 0, row = 0; i < results->chain_count; i++)
        if (results->chains[i].finished) {
            writer->chain_rows[row++] = i;
            writer->finished[i / config->starts]++;
        }
    for (size_t i = 0; i < cells; i++)
        writer->best_rows[i] =
            mm_results_best(results, config, i / config->lambda_count, i % config->lambda_count, &writer->agree[i]);
    hsize_t length[AXIS_COUNT] = {config->g_count, config->lambda_count, config->batch_count, 2, chains};
    memcpy(writer->length, length, sizeof length);
    return MM_OK;
}

static void write_contents(struct writer *writer, const struct mm_run_info *info)
{
    for (enum axis axis = 0; axis < AXIS_COUNT; axis++)
        writer->scale[axis] = -1;
    write_root(writer, info);
    write_grid(writer);
    write_protocol(writer);
    write_chains(writer);
    write_best(writer);
    for (enum axis axis = 0; axis < AXIS_COUNT; axis++)
        mm_hdf5_close(&writer->hdf5, writer->scale[axis], H5Dclose, axis_names[axis]);
}

static mm_status write_hdf5(struct writer *writer, const struct mm_output_file *output,
                            const struct mm_run_info *info, struct mm_error *error)
{
    struct mm_hdf5 *hdf5 = &writer->hdf5;
    mm_hdf5_begin(hdf5, output->path, MM_ERROR_HDF5, error);
    writer->file = mm_hdf5_create_in_memory(hdf5);
    write_contents(writer, info);
    mm_hdf5_copy_to_disk(hdf5, writer->file, output);
    mm_hdf5_close(hdf5, writer->file, H5Fclose, "file");
    return mm_hdf5_end(hdf5);
}

mm_status mm_result_file_write(const char *path, const struct mm_config *config, const struct mm_results *results,
                               const struct mm_run_info *info, bool replace, struct mm_error *error)
{
    struct mm_output_file output = {0};
    struct writer writer = {.config = config, .results = results};
    mm_status status = mm_output_file_create(&output, path, replace, error);
    if (status != MM_OK)
        return status;
    status = list_rows(&writer, error);
    if (status == MM_OK)
        status = write_hdf5(&writer, &output, info, error);
    free(writer.chain_rows);
    free(writer.best_rows);
    free(writer.agree);
    free(writer.finished);
    if (status == MM_OK)
        return mm_output_file_commit(&output, replace, error);
    mm_output_file_discard(&output);
    return status;
}
