/* landscape.c - the HDF5 file of a landscape, and the end points of chains that belong into it.
 *
 *   /            attributes as in every file of ours; kind = "landscape"
 *   /landscape   axes c, q, cell (grid points); g, lambda [cell]; loss, ergotropy, instability [cell][c][q], NaN
 *                where they are not computed yet; parameters [batch][c, q] of all batches, NaN of the varied one;
 *                attribute batch, the number of the batch that is varied, from 1
 *   /end_points  cell, c, q, loss [point]: where the chains of a search ended; only if a search was given
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chain/grid.h"
#include "files/hdf5/driver.h"
#include "files/hdf5/root.h"
#include "files/hdf5/write.h"
#include "evolve/landscape.h"

/* ---------------------------------------------------------------------------------------- end points */

/* What is read of a result file. */
struct chains {
    struct mm_hdf5_array axes[MM_AXES];
    struct mm_hdf5_array positions[MM_AXES]; /* of the chains on them */
    struct mm_hdf5_array final;              /* [chain][batch][2] */
    struct mm_hdf5_array loss;
};

static mm_status read_chains(const char *path, const struct mm_config *config, struct chains *chains,
                             struct mm_error *error)
{
    struct mm_hdf5_file file;
    mm_status status = mm_hdf5_file_open(&file, path, error);
    if (status != MM_OK)
        return status;
    if (file.kind != MM_FILE_SEARCH)
        mm_hdf5_fail(&file.hdf5, MM_ERROR_INPUT, "is not the result of a search");
    mm_hdf5_read_array(&file, "/chains/final", 3, &chains->final);
    mm_hdf5_read_array(&file, "/chains/loss", 1, &chains->loss);
    for (int axis = 0; axis < MM_AXES; axis++) {
        const char *name = mm_grid_axis(config, (enum mm_axis_number)axis).name;
        char dataset[64];
        snprintf(dataset, sizeof dataset, "/grid/%s", name);
        mm_hdf5_read_array(&file, dataset, 1, &chains->axes[axis]);
        snprintf(dataset, sizeof dataset, "/chains/%s_index", name);
        mm_hdf5_read_array(&file, dataset, 1, &chains->positions[axis]);
        mm_hdf5_check_length(&file, dataset, &chains->positions[axis], 0, chains->loss.count);
    }
    mm_hdf5_check_length(&file, "/chains/final", &chains->final, 0, chains->loss.count);
    mm_hdf5_check_length(&file, "/chains/final", &chains->final, 2, 2);
    if (file.hdf5.status == MM_OK && chains->final.length[1] != config->batch_count)
        mm_hdf5_fail(&file.hdf5, MM_ERROR_INPUT, "belongs to another configuration: its batches are not as many");
    return mm_hdf5_file_close(&file);
}

static void free_chains(struct chains *chains)
{
    for (int axis = 0; axis < MM_AXES; axis++) {
        mm_hdf5_array_free(&chains->axes[axis]);
        mm_hdf5_array_free(&chains->positions[axis]);
    }
    mm_hdf5_array_free(&chains->final);
    mm_hdf5_array_free(&chains->loss);
}

/* Value of an axis at a position that comes from the file; NaN outside, which equals nothing. */
static double at(const struct mm_hdf5_array *axis, double position)
{
    return position >= 0 && position < (double)axis->count ? axis->values[(size_t)position] : NAN;
}

/* Whether a chain was optimised at a grid point of the landscape. */
static bool is_at(const struct chains *chains, size_t chain, const struct mm_landscape *landscape, size_t cell)
{
    const double *const values[MM_AXES] = {[MM_AXIS_g] = landscape->g, [MM_AXIS_lambda] = landscape->lambda};
    bool same = true;
    for (int axis = 0; axis < MM_AXES && same; axis++)
        same = at(&chains->axes[axis], chains->positions[axis].values[chain]) == values[axis][cell];
    return same;
}

static void take_end_points(const struct chains *chains, struct mm_landscape *landscape)
{
    struct mm_end_points *end_points = &landscape->end_points;
    for (size_t i = 0; i < chains->loss.count; i++)
        for (size_t cell = 0; cell < landscape->cell_count; cell++) {
            const double *final = &chains->final.values[2 * (i * chains->final.length[1] + landscape->batch)];
            if (!is_at(chains, i, landscape, cell))
                continue;
            end_points->cell[end_points->count] = (int64_t)cell;
            end_points->c[end_points->count] = final[0];
            end_points->q[end_points->count] = final[1];
            end_points->loss[end_points->count++] = chains->loss.values[i];
        }
}

mm_status mm_landscape_file_read_end_points(const char *path, const struct mm_config *config,
                                            struct mm_landscape *landscape, struct mm_error *error)
{
    struct chains chains = {0};
    struct mm_end_points *end_points = &landscape->end_points;
    mm_status status = read_chains(path, config, &chains, error);
    if (status == MM_OK) {
        size_t most = chains.loss.count + 1; /* + 1: never an empty request; a chain is at one grid point */
        end_points->cell = calloc(most, sizeof *end_points->cell);
        end_points->c = calloc(most, sizeof *end_points->c);
        end_points->q = calloc(most, sizeof *end_points->q);
        end_points->loss = calloc(most, sizeof *end_points->loss);
        if (end_points->cell == NULL || end_points->c == NULL || end_points->q == NULL || end_points->loss == NULL)
            status = mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu chains", most);
    }
    if (status == MM_OK)
        take_end_points(&chains, landscape);
    free_chains(&chains);
    if (status == MM_OK && end_points->count == 0)
        status = mm_fail(error, MM_ERROR_INPUT, "%s: has no chain at the g and lambda of the landscape", path);
    return status;
}

/* -------------------------------------------------------------------------------------------- writing */

static void write_plane(struct mm_hdf5 *hdf5, const struct mm_dataset *shape, const char *name, const char *units,
                        const char *long_name, const double *values)
{
    struct mm_dataset dataset = *shape;
    dataset.name = name;
    dataset.units = units;
    dataset.long_name = long_name;
    mm_hdf5_write_dataset(hdf5, &dataset, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values);
}

static hid_t write_axis(struct mm_hdf5 *hdf5, hid_t group, const char *name, const char *long_name, size_t count,
                        const double *values)
{
    const struct mm_dataset axis = {
        .group = group, .name = name, .units = "1", .long_name = long_name, .rank = 1, .length = {count}};
    return mm_hdf5_write_axis(hdf5, &axis, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values);
}

/* Writes the numbers of the grid points, 0, 1, .., the axis that g and lambda run along. */
static hid_t write_cells(struct mm_hdf5 *hdf5, hid_t group, size_t count)
{
    const struct mm_dataset axis = {.group = group,
                                    .name = "cell",
                                    .units = "1",
                                    .long_name = "number of the grid point",
                                    .rank = 1,
                                    .length = {count}};
    int64_t *numbers = malloc(count * sizeof *numbers);
    if (numbers == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for an axis");
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        numbers[i] = (int64_t)i;
    hid_t cells = mm_hdf5_write_axis(hdf5, &axis, H5T_STD_I64LE, H5T_NATIVE_INT64, numbers);
    free(numbers);
    return cells;
}

static void write_landscape(struct mm_hdf5 *hdf5, hid_t file, const struct mm_landscape *landscape)
{
    const int64_t batch = (int64_t)landscape->batch + 1;
    hid_t group = mm_hdf5_create_group(hdf5, file, "landscape");
    mm_hdf5_write_attribute(hdf5, group, "batch", H5T_NATIVE_INT64, &batch);
    hid_t cell = write_cells(hdf5, group, landscape->cell_count);
    hid_t c = write_axis(hdf5, group, "c", "coherence c of the batch", landscape->c_count, landscape->c);
    hid_t q =
        write_axis(hdf5, group, "q", "ground-state population q of the batch", landscape->q_count, landscape->q);
    const struct mm_dataset along_cells = {
        .group = group, .rank = 1, .length = {landscape->cell_count}, .scale = {cell}};
    const struct mm_dataset planes = {.group = group,
                                      .rank = 3,
                                      .length = {landscape->cell_count, landscape->c_count, landscape->q_count},
                                      .scale = {cell, c, q}};
    write_plane(hdf5, &along_cells, "g", "1", "coupling constant g (times tau, Eq. 4)", landscape->g);
    write_plane(hdf5, &along_cells, "lambda", "1", "weight lambda of the instability (Eq. 11)", landscape->lambda);
    write_plane(hdf5, &planes, "loss", "1", "loss (Eq. 11)", landscape->loss);
    write_plane(hdf5, &planes, "ergotropy", "hbar omega", "ergotropy W (Eq. 10)", landscape->ergotropy);
    write_plane(hdf5, &planes, "instability", "hbar omega", "sum of |E_k - E_(k-1)| over the tail",
                landscape->instability);
    const struct mm_dataset parameters = {.group = group, .rank = 2, .length = {landscape->batch_count, 2}};
    write_plane(hdf5, &parameters, "parameters", "1", "c and q of each batch; NaN of the one that is varied",
                landscape->parameters);
    mm_hdf5_close(hdf5, q, H5Dclose, "q");
    mm_hdf5_close(hdf5, c, H5Dclose, "c");
    mm_hdf5_close(hdf5, cell, H5Dclose, "cell");
    mm_hdf5_close(hdf5, group, H5Gclose, "landscape");
}

static void write_end_points(struct mm_hdf5 *hdf5, hid_t file, const struct mm_end_points *end_points)
{
    if (end_points->count == 0)
        return;
    hid_t group = mm_hdf5_create_group(hdf5, file, "end_points");
    const struct mm_dataset shape = {.group = group, .rank = 1, .length = {end_points->count}};
    struct mm_dataset cell = shape;
    cell.name = "cell";
    cell.units = "1";
    cell.long_name = "position along /landscape/cell";
    mm_hdf5_write_dataset(hdf5, &cell, H5T_STD_I64LE, H5T_NATIVE_INT64, end_points->cell);
    write_plane(hdf5, &shape, "c", "1", "coherence c of the batch at the end of a chain", end_points->c);
    write_plane(hdf5, &shape, "q", "1", "ground-state population q of the batch at the end of a chain",
                end_points->q);
    write_plane(hdf5, &shape, "loss", "1", "loss at the end of a chain (Eq. 11)", end_points->loss);
    mm_hdf5_close(hdf5, group, H5Gclose, "end_points");
}

mm_status mm_landscape_file_write(const char *path, const struct mm_config *config,
                                  const struct mm_landscape *landscape, const struct mm_solver *solver,
                                  const struct mm_run_info *info, bool replace, struct mm_error *error)
{
    struct mm_output_file output = {0};
    struct mm_hdf5_disk disk;
    struct mm_hdf5 hdf5;
    const struct mm_file_root root = {
        .kind = mm_file_kind_text(MM_FILE_LANDSCAPE),
        .configuration = config->text,
        .seed = config->seed,
        .backend = mm_solver_backend(solver),
        .device = mm_solver_device(solver),
        .info = info,
        .seconds = landscape->seconds,
        .complete = mm_landscape_missing(landscape) == 0,
    };
    mm_status status = mm_output_file_create(&output, path, replace, error);
    if (status != MM_OK)
        return status;
    mm_hdf5_begin(&hdf5, output.path, MM_ERROR_HDF5, error);
    hid_t file = mm_hdf5_create_on_disk(&hdf5, &output, &disk);
    mm_hdf5_write_root(&hdf5, file, &root);
    write_landscape(&hdf5, file, landscape);
    write_end_points(&hdf5, file, &landscape->end_points);
    mm_hdf5_close_on_disk(&hdf5, file, &disk);
    status = mm_hdf5_end(&hdf5);
    if (status == MM_OK)
        return mm_output_file_commit(&output, replace, error);
    mm_output_file_discard(&output);
    return status;
}
