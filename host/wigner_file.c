/* wigner_file.c - adds the Wigner functions of the states that an evolution file stores to it.
 *
 *   /state/x [x], /state/p [p]           axes, dimension scales
 *   /state/wigner [curve][state][x][p]   NaN for states that were not asked for
 *
 * The first two axes of /state/wigner are those of /state/density_matrix. Its states grow as theirs do, so that an
 * evolution that went on can be completed on the same grid.
 *
 * The file is copied and extended in memory and written by us: HDF5 cannot recover from a full disk.
 */
#include <hdf5_hl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_write.h"
#include "stored_states.h"
#include "wigner_file.h"

static const char *const wigner_path = "/state/wigner";

enum { CHUNK_BYTES = 1024 * 1024 /* most bytes of one chunk */ };

/* The file that is being extended, in memory. */
struct extension {
    struct mm_hdf5 hdf5;
    hid_t file;
    hid_t group;     /* /state */
    hid_t scales[4]; /* axes of /state/wigner */
    hid_t wigner;    /* /state/wigner */
};

/* What is done for one request. */
struct job {
    const struct mm_wigner_request *request;
    struct mm_wigner_report *report;
    struct mm_error *error;
    struct mm_stored_states stored;
    size_t first; /* the states asked for */
    size_t last;  /* one beyond */
    double *x;
    double *p;
    struct mm_wigner_grid grid;
    double *wigner; /* [x][p], of the state in work */
    struct mm_state state;
    struct extension extension;
};

/* ---------------------------------------------------------------------------------------- preparation */

/* Chooses the states asked for. */
static mm_status select_states(struct job *job)
{
    const struct mm_wigner_request *request = job->request;
    struct mm_stored_states *stored = &job->stored;
    job->first = request->state >= 0 ? (size_t)request->state : 0;
    job->last = stored->states;
    if (stored->states == 0)
        mm_hdf5_fail(&stored->file.hdf5, MM_ERROR_INPUT, "stores no state");
    else if (request->state >= 0)
        mm_stored_states_check(stored, request->state);
    else if (request->k >= 0)
        job->first = mm_stored_states_find(stored, request->k);
    if (request->state >= 0 || request->k >= 0)
        job->last = job->first + 1;
    return stored->file.hdf5.status;
}

/* Allocates the report and names its curves. */
static mm_status prepare_report(struct job *job)
{
    struct mm_wigner_report *report = job->report;
    struct mm_hdf5 *hdf5 = &job->stored.file.hdf5;
    struct mm_texts labels = {0};
    mm_hdf5_read_texts(&job->stored.file, "/curve/label", &labels);
    if (hdf5->status == MM_OK && labels.count != job->stored.curves)
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "/curve/label has the wrong shape");
    report->labels = labels.texts;
    report->curve_count = labels.count;
    if (hdf5->status != MM_OK)
        return hdf5->status;
    report->entries = calloc(job->stored.curves * (job->last - job->first), sizeof *report->entries);
    if (report->entries == NULL)
        return mm_fail(job->error, MM_ERROR_MEMORY, "out of memory for the report");
    return MM_OK;
}

static mm_status allocate(struct job *job)
{
    const struct mm_wigner_request *request = job->request;
    size_t levels = job->stored.levels;
    job->x = malloc(request->x_count * sizeof *job->x);
    job->p = malloc(request->p_count * sizeof *job->p);
    job->grid = (struct mm_wigner_grid){request->x_count, job->x, request->p_count, job->p};
    job->wigner = malloc(request->x_count * request->p_count * sizeof *job->wigner);
    job->state.levels = (int)levels;
    job->state.density = malloc(levels * levels * sizeof *job->state.density);
    if (job->x != NULL && job->p != NULL && job->wigner != NULL && job->state.density != NULL)
        return MM_OK;
    return mm_fail(job->error, MM_ERROR_MEMORY, "%s: out of memory for a grid of %zu x %zu points", request->path,
                   request->x_count, request->p_count);
}

/* One extent for all stored states, whichever are asked for now: they share the grid. */
static void lay_grid(struct job *job)
{
    const struct mm_wigner_request *request = job->request;
    struct mm_stored_states *stored = &job->stored;
    bool automatic = request->x_extent <= 0.0 || request->p_extent <= 0.0;
    double widest = 0.0;
    for (size_t i = 0; automatic && stored->file.hdf5.status == MM_OK && i < stored->curves * stored->states; i++) {
        mm_stored_states_read(stored, i / stored->states, i % stored->states, job->state.density);
        widest = fmax(widest, mm_wigner_extent(&job->state));
    }
    job->report->x_extent = request->x_extent > 0.0 ? request->x_extent : widest;
    job->report->p_extent = request->p_extent > 0.0 ? request->p_extent : widest;
    mm_wigner_axis(job->report->x_extent, request->x_count, job->x);
    mm_wigner_axis(job->report->p_extent, request->p_count, job->p);
}

/* Whether an axis in the file has exactly these values. */
static bool has_axis(struct job *job, const char *path, size_t count, const double *values)
{
    struct mm_array axis = {0};
    if (!mm_hdf5_has(&job->stored.file, path))
        return false;
    mm_hdf5_read_array(&job->stored.file, path, 1, &axis);
    bool same = axis.count == count && memcmp(axis.values, values, count * sizeof *values) == 0;
    mm_array_free(&axis);
    return same;
}

static bool has_grid(struct job *job)
{
    return mm_hdf5_has(&job->stored.file, wigner_path) &&
           has_axis(job, "/state/x", job->grid.x_count, job->grid.x) &&
           has_axis(job, "/state/p", job->grid.p_count, job->grid.p);
}

/* ------------------------------------------------------------------------------------- extending the file */

static void remove_link(struct extension *extension, const char *name)
{
    if (H5Lexists(extension->group, name, H5P_DEFAULT) > 0)
        mm_hdf5_check(&extension->hdf5, H5Ldelete(extension->group, name, H5P_DEFAULT), "replace", name);
}

/* Takes the first scale of a dimension: H5DSiterate_scales stops at a value that is not zero. */
static herr_t take_scale(hid_t dataset, unsigned dimension, hid_t scale, void *taken)
{
    (void)dataset;
    (void)dimension;
    *(hid_t *)taken = scale;
    return H5Iinc_ref(scale) >= 0 ? 1 : -1; /* HDF5 closes it once when this returns */
}

/* Finds the axes of curves and states where /state/density_matrix has them. */
static void find_scales(struct extension *extension)
{
    static const char *const name = "density_matrix";
    struct mm_hdf5 *hdf5 = &extension->hdf5;
    hid_t density = mm_hdf5_check(hdf5, H5Dopen2(extension->group, name, H5P_DEFAULT), "open dataset", name);
    for (unsigned d = 0; d < 2 && density >= 0; d++)
        if (H5DSget_num_scales(density, d) > 0)
            mm_hdf5_check(hdf5, H5DSiterate_scales(density, d, NULL, take_scale, &extension->scales[d]),
                          "find the axes of", name);
    mm_hdf5_close(hdf5, density, H5Dclose, name);
}

static hid_t create_axis(struct extension *extension, const char *name, const char *long_name, size_t count,
                         const double *values)
{
    const struct mm_dataset axis = {.group = extension->group,
                                    .name = name,
                                    .units = "1",
                                    .long_name = long_name,
                                    .rank = 1,
                                    .length = {count}};
    remove_link(extension, name);
    return mm_hdf5_write_axis(&extension->hdf5, &axis, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values);
}

/* Creates /state/wigner with no state yet, and its axes. */
static void create_wigner(struct extension *extension, size_t curves, const struct mm_wigner_grid *grid)
{
    size_t rows = CHUNK_BYTES / (sizeof(double) * grid->p_count);
    remove_link(extension, "wigner");
    find_scales(extension);
    extension->scales[2] =
        create_axis(extension, "x", "position quadrature x = (a + a^dagger) / sqrt(2)", grid->x_count, grid->x);
    extension->scales[3] =
        create_axis(extension, "p", "momentum quadrature p = (a - a^dagger) / (i sqrt(2))", grid->p_count, grid->p);
    struct mm_dataset wigner = {
        .group = extension->group,
        .name = "wigner",
        .units = "1",
        .long_name = "Wigner function W(x, p), integral 1; NaN where it was not asked for",
        .rank = 4,
        .length = {curves, 0, grid->x_count, grid->p_count},
        .blank_is_nan = true,
        .grows = {false, true, false, false},
        .chunk = {1, 1, rows < grid->x_count ? rows : grid->x_count, grid->p_count},
    };
    memcpy(wigner.scale, extension->scales, sizeof extension->scales);
    extension->wigner = mm_hdf5_create_dataset(&extension->hdf5, &wigner, H5T_IEEE_F64LE);
}

/* Makes /state/wigner as long as the stored states. */
static void lengthen_wigner(struct extension *extension, const struct mm_stored_states *stored,
                            const struct mm_wigner_grid *grid)
{
    struct mm_hdf5 *hdf5 = &extension->hdf5;
    const hsize_t wanted[] = {stored->curves, stored->states, grid->x_count, grid->p_count};
    hsize_t length[4] = {0};
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(extension->wigner), "extend", wigner_path);
    bool right = space >= 0 && H5Sget_simple_extent_ndims(space) == 4 &&
                 H5Sget_simple_extent_dims(space, length, NULL) == 4 && length[0] == wanted[0] &&
                 length[1] <= wanted[1] && length[2] == wanted[2] && length[3] == wanted[3];
    if (right)
        mm_hdf5_check(hdf5, H5Dset_extent(extension->wigner, wanted), "extend", wigner_path);
    else
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "/state/wigner has the wrong shape");
    mm_hdf5_close(hdf5, space, H5Sclose, wigner_path);
}

static void begin_extension(struct job *job, bool same_grid)
{
    struct extension *extension = &job->extension;
    struct mm_hdf5 *hdf5 = &extension->hdf5;
    extension->file = mm_hdf5_copy_in_memory(hdf5, job->stored.file.file);
    if (extension->file < 0)
        return;
    extension->group =
        mm_hdf5_check(hdf5, H5Gopen2(extension->file, "/state", H5P_DEFAULT), "open group", "/state");
    if (same_grid)
        extension->wigner =
            mm_hdf5_check(hdf5, H5Dopen2(extension->group, "wigner", H5P_DEFAULT), "open dataset", wigner_path);
    else
        create_wigner(extension, job->stored.curves, &job->grid);
    lengthen_wigner(extension, &job->stored, &job->grid);
}

static void end_extension(struct extension *extension)
{
    struct mm_hdf5 *hdf5 = &extension->hdf5;
    mm_hdf5_close(hdf5, extension->wigner, H5Dclose, wigner_path);
    for (size_t d = 0; d < 4; d++)
        mm_hdf5_close(hdf5, extension->scales[d], H5Dclose, "axis");
    mm_hdf5_close(hdf5, extension->group, H5Gclose, "/state");
    mm_hdf5_close(hdf5, extension->file, H5Fclose, "file");
}

/* --------------------------------------------------------------------------------------------- states */

/* Appends the state in work to the report. */
static void describe(struct job *job, size_t curve, size_t s)
{
    size_t levels = job->stored.levels;
    struct mm_wigner_entry entry = {.curve = curve, .k = (int64_t)job->stored.k.values[s]};
    for (size_t i = 0; i < levels * levels; i++) {
        double element = job->state.density[i];
        entry.energy += i % (levels + 1) == 0 ? (double)(i / (levels + 1)) * element : 0.0;
        entry.purity += element * element;
    }
    entry.summary = mm_wigner_summarize(&job->grid, job->wigner);
    job->report->entries[job->report->count++] = entry;
}

static mm_status add_state(struct job *job, size_t curve, size_t s)
{
    const hsize_t start[] = {curve, s, 0, 0};
    const hsize_t extent[] = {1, 1, job->grid.x_count, job->grid.p_count};
    mm_stored_states_read(&job->stored, curve, s, job->state.density);
    mm_status status = job->stored.file.hdf5.status;
    if (status == MM_OK)
        status = mm_wigner(&job->state, &job->grid, &job->request->solver, job->wigner, job->error);
    if (status != MM_OK)
        return status;
    mm_hdf5_put_block(&job->extension.hdf5, job->extension.wigner, wigner_path, 4, start, extent, H5T_NATIVE_DOUBLE,
                      job->wigner);
    describe(job, curve, s);
    return job->extension.hdf5.status;
}

static mm_status add_states(struct job *job)
{
    const volatile int *stop = job->request->stop;
    mm_status status = job->extension.hdf5.status;
    for (size_t c = 0; c < job->stored.curves; c++)
        for (size_t s = job->first; status == MM_OK && s < job->last; s++)
            status = stop != NULL && *stop != 0
                         ? mm_fail(job->error, MM_STOPPED, "%s: stopped; what is done is saved", job->request->path)
                         : add_state(job, c, s);
    return status;
}

/* --------------------------------------------------------------------------------------------- output */

/* What is done may be saved. */
static bool is_whole(mm_status status)
{
    return status == MM_OK || status == MM_STOPPED;
}

/* The later status, unless it is good news. */
static mm_status then(mm_status status, mm_status later)
{
    return is_whole(status) && later != MM_OK ? later : status;
}

/* Extends the file in memory and writes it under the output's temporary name. */
static mm_status write_temporary(struct job *job, const struct mm_output_file *output, bool same_grid)
{
    struct extension *extension = &job->extension;
    *extension = (struct extension){.file = -1, .group = -1, .scales = {-1, -1, -1, -1}, .wigner = -1};
    mm_hdf5_begin(&extension->hdf5, output->path, MM_ERROR_HDF5, job->error);
    begin_extension(job, same_grid);
    mm_status status = add_states(job);
    if (is_whole(status))
        mm_hdf5_copy_to_disk(&extension->hdf5, extension->file, output);
    end_extension(extension);
    return then(status, mm_hdf5_end(&extension->hdf5));
}

static mm_status write_output(struct job *job, bool same_grid)
{
    const char *path = job->request->output == NULL ? job->request->path : job->request->output;
    bool replace = job->request->output == NULL || job->request->replace;
    struct mm_output_file output = {0};
    mm_status status = mm_output_file_create(&output, path, replace, job->error);
    if (status != MM_OK)
        return status;
    status = write_temporary(job, &output, same_grid);
    if (is_whole(status))
        return then(status, mm_output_file_commit(&output, replace, job->error));
    mm_output_file_discard(&output);
    return status;
}

static mm_status run(struct job *job)
{
    struct mm_hdf5 *hdf5 = &job->stored.file.hdf5;
    mm_status status = select_states(job);
    if (status == MM_OK)
        status = prepare_report(job);
    if (status == MM_OK)
        status = allocate(job);
    if (status != MM_OK)
        return status;
    lay_grid(job);
    bool same_grid = has_grid(job);
    bool in_place = job->request->output == NULL;
    if (!same_grid && in_place && !job->request->replace && mm_hdf5_has(&job->stored.file, wigner_path))
        mm_hdf5_fail(hdf5, MM_ERROR_OUTPUT,
                     "holds Wigner functions on another grid already; they are not replaced");
    return hdf5->status == MM_OK ? write_output(job, same_grid) : hdf5->status;
}

mm_status mm_wigner_file_add(const struct mm_wigner_request *request, struct mm_wigner_report *report,
                             struct mm_error *error)
{
    struct job job = {.request = request, .report = report, .error = error};
    *report = (struct mm_wigner_report){0};
    mm_status status = mm_stored_states_open(&job.stored, request->path, error);
    if (status != MM_OK)
        return status;
    status = run(&job);
    status = then(status, mm_stored_states_close(&job.stored));
    free(job.x);
    free(job.p);
    free(job.wigner);
    mm_state_free(&job.state);
    if (!is_whole(status))
        mm_wigner_report_free(report);
    return status;
}

void mm_wigner_report_free(struct mm_wigner_report *report)
{
    for (size_t i = 0; i < report->curve_count; i++)
        free(report->labels[i]);
    free(report->labels);
    free(report->entries);
    *report = (struct mm_wigner_report){0};
}
