/* landscape_resume.c - goes on with a landscape that was stopped. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "files/hdf5/root.h"
#include "evolve/landscape.h"

/* Compares an array of the file with what it must be; NaN equals NaN. */
static void check_array(struct mm_hdf5_file *file, const char *path, size_t count, const double *here)
{
    struct mm_hdf5_array there = {0};
    char reason[96];
    mm_hdf5_read_any_array(file, path, &there);
    bool same = there.count == count;
    for (size_t i = 0; same && i < count; i++)
        same = there.values[i] == here[i] || (isnan(there.values[i]) && isnan(here[i]));
    snprintf(reason, sizeof reason, "belongs to another landscape: %s differs", path);
    if (file->hdf5.status == MM_OK && !same)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, reason);
    mm_hdf5_array_free(&there);
}

/* Checks that the file is the same landscape. */
static void check_landscape(struct mm_hdf5_file *file, const struct mm_config *config,
                            const struct mm_solver *solver, const struct mm_landscape *landscape)
{
    if (file->kind != MM_FILE_LANDSCAPE)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "is not a landscape");
    mm_hdf5_check_text(file, "configuration", "configuration", config->text);
    mm_hdf5_check_text(file, "backend", "backend", mm_solver_backend(solver));
    check_array(file, "/landscape/c", landscape->c_count, landscape->c);
    check_array(file, "/landscape/q", landscape->q_count, landscape->q);
    check_array(file, "/landscape/g", landscape->cell_count, landscape->g);
    check_array(file, "/landscape/lambda", landscape->cell_count, landscape->lambda);
    check_array(file, "/landscape/parameters", 2 * landscape->batch_count, landscape->parameters);
}

/* Copies an array of a known number of elements. */
static void take_array(struct mm_hdf5_file *file, const char *path, size_t count, double *values)
{
    struct mm_hdf5_array there = {0};
    mm_hdf5_read_any_array(file, path, &there);
    if (file->hdf5.status == MM_OK && there.count != count)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "is damaged: an array of /landscape has the wrong shape");
    if (file->hdf5.status == MM_OK)
        memcpy(values, there.values, count * sizeof *values);
    mm_hdf5_array_free(&there);
}

static void take_end_points(struct mm_hdf5_file *file, struct mm_end_points *end_points)
{
    struct mm_hdf5_array cell = {0}, c = {0}, q = {0}, loss = {0};
    mm_hdf5_read_array(file, "/end_points/cell", 1, &cell);
    mm_hdf5_read_array(file, "/end_points/c", 1, &c);
    mm_hdf5_read_array(file, "/end_points/q", 1, &q);
    mm_hdf5_read_array(file, "/end_points/loss", 1, &loss);
    mm_hdf5_check_length(file, "/end_points/c", &c, 0, cell.count);
    mm_hdf5_check_length(file, "/end_points/q", &q, 0, cell.count);
    mm_hdf5_check_length(file, "/end_points/loss", &loss, 0, cell.count);
    int64_t *cells = calloc(cell.count + 1, sizeof *cells); /* + 1: never an empty request */
    if (cells == NULL)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_MEMORY, "out of memory for the end points");
    for (size_t i = 0; cells != NULL && i < cell.count; i++)
        cells[i] = (int64_t)cell.values[i];
    *end_points = (struct mm_end_points){cell.count, cells, c.values, q.values, loss.values};
    mm_hdf5_array_free(&cell);
}

mm_status mm_landscape_file_resume(const char *path, const struct mm_config *config, const struct mm_solver *solver,
                                   struct mm_landscape *landscape, struct mm_error *error)
{
    const size_t count = landscape->cell_count * landscape->c_count * landscape->q_count;
    struct mm_hdf5_file file;
    mm_status status = mm_hdf5_file_open(&file, path, error);
    if (status != MM_OK)
        return status;
    check_landscape(&file, config, solver, landscape);
    take_array(&file, "/landscape/loss", count, landscape->loss);
    take_array(&file, "/landscape/ergotropy", count, landscape->ergotropy);
    take_array(&file, "/landscape/instability", count, landscape->instability);
    if (file.hdf5.status == MM_OK && landscape->end_points.count == 0 && mm_hdf5_has(&file, "/end_points"))
        take_end_points(&file, &landscape->end_points);
    mm_hdf5_read_attribute(&file.hdf5, file.file, "seconds", H5T_NATIVE_DOUBLE, &landscape->seconds);
    return mm_hdf5_file_close(&file);
}
