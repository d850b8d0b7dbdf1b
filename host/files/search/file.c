/* file.c - writes finished chains as one self-describing HDF5 file.
 *
 *   /          attributes: program, kind, version, git_commit, command_line, configuration, seed, backend, device,
 *              host, start_time, end_time, seconds, complete, and description_crc32 of the texts among them
 *   /grid      the axes as dimension scales: g, lambda, batch, parameter ("c", "q")
 *   /protocol  qubits [batch], fixed [batch]
 *   /chains    one row a finished chain, [chain] or [chain][batch][parameter]: the columns of
 *              chain/columns.c, and crc32, the checksum of the row as a record (chain/record.h)
 *   /best      the same columns of the best chain of each grid point, [g][lambda] or [g][lambda][batch][parameter],
 *              with its row in /chains (chain), the finished chains there (finished) and how many of them agree
 *              with the best (agree). Where no chain is finished: NaN, -1 or NO_FINISHED_CHAIN, and 0 chains
 *
 * Each group also holds the axes it uses, as hard links to those of /grid: netCDF, and so xarray, looks for an axis
 * only in the group of the data and above it. Every dataset has the attributes long_name and units, and a checksum.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "chain/grid.h"
#include "chain/agreement.h"
#include "files/hdf5/root.h"
#include "files/hdf5/read.h"
#include "files/hdf5/write.h"
#include "files/search/file.h"
#include "files/search/tables.h"
#include "chain/results.h"

/* -------------------------------------------------------------------------------------- root and axes */

/* Whether every chain that is needed is there. */
static bool is_complete(struct mm_result_writer *writer)
{
    const struct mm_chain_source *source = writer->source;
    const struct mm_config *config = source->config;
    int64_t chains = mm_config_chains(config);
    bool complete = true;
    double *losses = malloc((size_t)config->starts * sizeof *losses); /* of one grid point */
    if (losses == NULL) {
        mm_hdf5_fail(&writer->hdf5, MM_ERROR_MEMORY, "out of memory for the losses of a grid point");
        return false;
    }
    for (int64_t first = 0; first < chains && complete; first += config->starts) {
        for (int64_t s = 0; s < config->starts; s++)
            losses[s] = source->has(source->context, first + s) ? source->loss(source->context, first + s) : NAN;
        int64_t needed = mm_starts_needed(config, losses);
        for (int64_t s = 0; s < needed; s++)
            complete = complete && !isnan(losses[s]);
    }
    free(losses);
    return complete;
}

static void write_root(struct mm_result_writer *writer, const struct mm_run_info *info)
{
    const struct mm_chain_source *source = writer->source;
    const struct mm_file_root root = {
        .kind = mm_file_kind_text(MM_FILE_SEARCH),
        .configuration = source->config->text,
        .seed = source->config->seed,
        .backend = source->backend,
        .device = source->device,
        .info = info,
        .seconds = source->seconds,
        .complete = is_complete(writer),
    };
    mm_hdf5_write_root(&writer->hdf5, writer->file, &root);
}

/* Writes the dataset of an axis and makes it a dimension scale; it stays open until the file is closed. */
static hid_t write_axis(struct mm_result_writer *writer, hid_t group, const char *name, size_t length,
                        hid_t file_type, hid_t memory_type, const void *values, const char *long_name)
{
    const struct mm_dataset dataset = {
        .group = group,
        .name = name,
        .units = "1",
        .long_name = long_name,
        .rank = 1,
        .length = {length},
    };
    return mm_hdf5_write_axis(&writer->hdf5, &dataset, file_type, memory_type, values);
}

static void write_grid(struct mm_result_writer *writer)
{
    static const char *const parameters[] = {"c", "q"};
    const struct mm_config *config = writer->source->config;
    hid_t group = mm_hdf5_create_group(&writer->hdf5, writer->file, "grid");
    for (int i = 0; i < MM_AXES; i++) {
        const struct mm_axis axis = mm_grid_axis(config, (enum mm_axis_number)i);
        writer->axes[i] = write_axis(writer, group, axis.name, axis.count, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                                     axis.values, axis.long_name);
    }
    int64_t *numbers = malloc(config->batch_count * sizeof *numbers);
    if (numbers == NULL)
        mm_hdf5_fail(&writer->hdf5, MM_ERROR_MEMORY, "out of memory for an axis");
    for (size_t b = 0; b < config->batch_count && numbers != NULL; b++)
        numbers[b] = (int64_t)b + 1;
    writer->batch = write_axis(writer, group, "batch", config->batch_count, H5T_STD_I64LE, H5T_NATIVE_INT64,
                               numbers, "number of the batch, in the order of the collisions");
    free(numbers);
    hid_t text = mm_hdf5_text_type(&writer->hdf5);
    writer->parameter = write_axis(writer, group, "parameter", 2, text, text, parameters,
                                   "coherence c and ground-state population q of the qubits");
    mm_hdf5_close(&writer->hdf5, text, H5Tclose, "text");
    mm_hdf5_close(&writer->hdf5, group, H5Gclose, "grid");
}

static void write_of_batches(struct mm_result_writer *writer, hid_t group, const char *name, const char *long_name,
                             hid_t file_type, hid_t memory_type, const void *values)
{
    const struct mm_dataset dataset = {
        .group = group,
        .name = name,
        .units = "1",
        .long_name = long_name,
        .rank = 1,
        .length = {writer->source->config->batch_count},
        .scale = {writer->batch},
    };
    mm_hdf5_write_dataset(&writer->hdf5, &dataset, file_type, memory_type, values);
}

static void write_protocol(struct mm_result_writer *writer)
{
    const struct mm_config *config = writer->source->config;
    int64_t *qubits = malloc(config->batch_count * sizeof *qubits);
    int8_t *fixed = malloc(config->batch_count * sizeof *fixed);
    if (qubits == NULL || fixed == NULL)
        mm_hdf5_fail(&writer->hdf5, MM_ERROR_MEMORY, "out of memory for the protocol");
    for (size_t b = 0; b < config->batch_count && qubits != NULL && fixed != NULL; b++) {
        qubits[b] = config->batches[b].qubits;
        fixed[b] = config->batches[b].fixed;
    }
    hid_t group = mm_hdf5_create_group(&writer->hdf5, writer->file, "protocol");
    mm_hdf5_link_axis(&writer->hdf5, writer->batch, group, "batch");
    write_of_batches(writer, group, "qubits", "number of qubits of each batch", H5T_STD_I64LE, H5T_NATIVE_INT64,
                     qubits);
    write_of_batches(writer, group, "fixed", "1: c and q are held, 0: they are optimised", H5T_STD_I8LE,
                     H5T_NATIVE_INT8, fixed);
    mm_hdf5_close(&writer->hdf5, group, H5Gclose, "protocol");
    free(qubits);
    free(fixed);
}

/* ----------------------------------------------------------------------------------------------- file */

void mm_result_write_groups(struct mm_result_writer *writer, bool chains)
{
    struct mm_hdf5 *hdf5 = &writer->hdf5;
    writer->batch = writer->parameter = -1;
    for (int axis = 0; axis < MM_AXES; axis++)
        writer->axes[axis] = -1;
    write_grid(writer);
    write_protocol(writer);
    if (chains)
        mm_result_write_chains(writer);
    mm_result_write_best(writer);
    for (int axis = 0; axis < MM_AXES; axis++)
        mm_hdf5_close(hdf5, writer->axes[axis], H5Dclose,
                      mm_grid_axis(writer->source->config, (enum mm_axis_number)axis).name);
    mm_hdf5_close(hdf5, writer->batch, H5Dclose, "batch");
    mm_hdf5_close(hdf5, writer->parameter, H5Dclose, "parameter");
}

mm_status mm_result_file_write_source(const char *path, struct mm_chain_source *source,
                                      const struct mm_run_info *info, bool replace, struct mm_error *error)
{
    struct mm_output_file output = {0};
    struct mm_result_writer writer = {.source = source};
    mm_status status = mm_output_file_create(&output, path, replace, error);
    if (status != MM_OK)
        return status;
    mm_hdf5_begin(&writer.hdf5, output.path, MM_ERROR_HDF5, error);
    writer.file = mm_hdf5_create_on_disk(&writer.hdf5, &output, &writer.disk);
    if (writer.hdf5.status == MM_OK) {
        write_root(&writer, info);
        mm_result_write_groups(&writer, true);
    }
    mm_hdf5_close_on_disk(&writer.hdf5, writer.file, &writer.disk);
    status = mm_hdf5_end(&writer.hdf5);
    if (status == MM_OK)
        return mm_output_file_commit(&output, replace, error);
    mm_output_file_discard(&output);
    return status;
}

/* ----------------------------------------------------------------------------------- results in memory */

mm_status mm_result_file_write(const char *path, const struct mm_config *config, const struct mm_results *results,
                               const struct mm_run_info *info, bool replace, struct mm_error *error)
{
    struct mm_results_view view = {config, results};
    struct mm_chain_source source = mm_results_source(&view);
    return mm_result_file_write_source(path, &source, info, replace, error);
}
