/* wigner.c - adds the Wigner functions of the states of an evolution to its file (files/evolution/wigner_table.h).
 *
 * A state that is asked for by its number of collisions and is not stored is computed again and stored, too.
 *
 * A copy of the file is extended under a temporary name and takes the place of the file at the end.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "files/evolution/recomputed_states.h"
#include "files/evolution/wigner.h"
#include "files/evolution/wigner_table.h"

/* What is done for one request. */
struct job {
    const struct mm_wigner_request *request;
    struct mm_wigner_report *report;
    struct mm_error *error;
    struct mm_stored_states stored;
    size_t first;              /* the states asked for */
    size_t last;               /* one beyond */
    struct mm_state *computed; /* [curve]: of a state that goes in at `first`, or NULL */
    double *x;
    double *p;
    struct mm_wigner_grid grid;
    double *wigner; /* [x][p], of the state in work */
    struct mm_state state;
    struct mm_wigner_table table;
};

/* ---------------------------------------------------------------------------------------------- states */

/* Chooses the state after k collisions; computes it where it is not stored. */
static mm_status select_k(struct job *job, int64_t k)
{
    const struct mm_wigner_request *request = job->request;
    struct mm_stored_states *stored = &job->stored;
    job->first = 0;
    while (job->first < stored->states && stored->k.values[job->first] < (double)k)
        job->first++;
    job->last = job->first + 1;
    if (job->first < stored->states && stored->k.values[job->first] == (double)k)
        return MM_OK;
    job->computed = calloc(stored->curves, sizeof *job->computed);
    if (job->computed == NULL)
        return mm_fail(job->error, MM_ERROR_MEMORY, "out of memory for the states");
    return mm_evolution_recompute_states(stored, k, &request->solver, request->stop, job->computed, job->error);
}

/* Chooses the states asked for. */
static mm_status select_states(struct job *job)
{
    const struct mm_wigner_request *request = job->request;
    struct mm_stored_states *stored = &job->stored;
    if (request->k >= 0)
        return select_k(job, request->k);
    job->first = request->state >= 0 ? (size_t)request->state : 0;
    job->last = request->state >= 0 ? job->first + 1 : stored->states;
    if (stored->states == 0)
        mm_hdf5_fail(&stored->file.hdf5, MM_ERROR_INPUT, "stores no state");
    else if (request->state >= 0)
        mm_stored_states_check(stored, request->state);
    return stored->file.hdf5.status;
}

/* Allocates the report and names its curves. */
static mm_status prepare_report(struct job *job)
{
    struct mm_wigner_report *report = job->report;
    struct mm_hdf5 *hdf5 = &job->stored.file.hdf5;
    struct mm_hdf5_texts labels = {0};
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

/* ------------------------------------------------------------------------------------------------ grid */

/* The points of an axis that is there already and to be kept; none (count 0) else. */
static void read_axis(struct job *job, const char *path, struct mm_hdf5_array *axis)
{
    *axis = (struct mm_hdf5_array){0};
    if (!job->request->replace && mm_hdf5_has(&job->stored.file, "/state/wigner") &&
        mm_hdf5_has(&job->stored.file, path))
        mm_hdf5_read_array(&job->stored.file, path, 1, axis);
}

/* Half-width that the states need, whichever are asked for now: they share the grid. */
static double widest_state(struct job *job)
{
    struct mm_stored_states *stored = &job->stored;
    double widest = 0.0;
    for (size_t i = 0; stored->file.hdf5.status == MM_OK && i < stored->curves * stored->states; i++) {
        mm_stored_states_read(stored, i / stored->states, i % stored->states, job->state.density);
        widest = fmax(widest, mm_wigner_extent(&job->state));
    }
    for (size_t c = 0; job->computed != NULL && c < stored->curves; c++)
        widest = fmax(widest, mm_wigner_extent(&job->computed[c]));
    return widest;
}

/* Half-width of an axis: as asked for, else as it is in the file if that is wide enough, else as needed. */
static double choose_extent(double asked, const struct mm_hdf5_array *present, double needed)
{
    const double there = present->count > 0 ? present->values[present->count - 1] : 0.0;
    if (asked > 0.0)
        return asked;
    return there >= needed ? there : needed;
}

static size_t choose_count(size_t asked, const struct mm_hdf5_array *present)
{
    if (asked > 0)
        return asked;
    return present->count >= 2 ? present->count : MM_WIGNER_POINTS_DEFAULT;
}

static mm_status allocate(struct job *job, size_t x_count, size_t p_count)
{
    job->x = malloc(x_count * sizeof *job->x);
    job->p = malloc(p_count * sizeof *job->p);
    job->grid = (struct mm_wigner_grid){x_count, job->x, p_count, job->p};
    job->wigner = malloc(x_count * p_count * sizeof *job->wigner);
    if (job->x != NULL && job->p != NULL && job->wigner != NULL)
        return MM_OK;
    return mm_fail(job->error, MM_ERROR_MEMORY, "%s: out of memory for a grid of %zu x %zu points",
                   job->request->path, x_count, p_count);
}

/* Whether an axis in the file has exactly these values. */
static bool is_axis(const struct mm_hdf5_array *axis, size_t count, const double *values)
{
    return axis->count == count && memcmp(axis->values, values, count * sizeof *values) == 0;
}

/* Refuses to replace Wigner functions on another grid unasked. */
static mm_status check_grid(struct job *job, bool keeps, const struct mm_hdf5_array *x,
                            const struct mm_hdf5_array *p)
{
    if (keeps || job->request->output != NULL || x->count == 0 || p->count == 0)
        return MM_OK;
    return mm_fail(job->error, MM_ERROR_OUTPUT,
                   "%s: holds Wigner functions on another grid already, %zu x %zu points up to x = %g and p = %g; "
                   "they are not replaced",
                   job->request->path, x->count, p->count, x->values[x->count - 1], p->values[p->count - 1]);
}

/* Lays the grid. *keeps: the Wigner functions in the file are on it. */
static mm_status lay_grid(struct job *job, bool *keeps)
{
    const struct mm_wigner_request *request = job->request;
    struct mm_wigner_report *report = job->report;
    struct mm_hdf5_array x, p;
    read_axis(job, "/state/x", &x);
    read_axis(job, "/state/p", &p);
    const double widest = request->x_extent > 0.0 && request->p_extent > 0.0 ? 0.0 : widest_state(job);
    mm_status status = job->stored.file.hdf5.status;
    if (status == MM_OK)
        status = allocate(job, choose_count(request->x_count, &x), choose_count(request->p_count, &p));
    if (status == MM_OK) {
        report->x_extent = choose_extent(request->x_extent, &x, widest);
        report->p_extent = choose_extent(request->p_extent, &p, widest);
        mm_wigner_axis(report->x_extent, job->grid.x_count, job->x);
        mm_wigner_axis(report->p_extent, job->grid.p_count, job->p);
        report->x_count = job->grid.x_count;
        report->p_count = job->grid.p_count;
        *keeps = is_axis(&x, job->grid.x_count, job->x) && is_axis(&p, job->grid.p_count, job->p);
        status = check_grid(job, *keeps, &x, &p);
    }
    mm_hdf5_array_free(&x);
    mm_hdf5_array_free(&p);
    return status;
}

/* ------------------------------------------------------------------------------------- Wigner functions */

/* Appends a state to the report. */
static void describe(struct job *job, size_t curve, size_t s, const struct mm_state *state)
{
    const size_t levels = (size_t)state->levels;
    struct mm_wigner_entry entry = {
        .curve = curve, .k = job->computed != NULL ? job->request->k : (int64_t)job->stored.k.values[s]};
    for (size_t i = 0; i < levels * levels; i++) {
        double element = state->density[i];
        entry.energy += i % (levels + 1) == 0 ? (double)(i / (levels + 1)) * element : 0.0;
        entry.purity += element * element;
    }
    entry.summary = mm_wigner_summarize(&job->grid, job->wigner);
    job->report->entries[job->report->count++] = entry;
}

static mm_status add_state(struct job *job, size_t curve, size_t s)
{
    const struct mm_state *state = job->computed != NULL ? &job->computed[curve] : &job->state;
    if (job->computed == NULL)
        mm_stored_states_read(&job->stored, curve, s, job->state.density);
    mm_status status = job->stored.file.hdf5.status;
    if (status == MM_OK)
        status = mm_wigner(state, &job->grid, &job->request->solver, job->wigner, job->error);
    if (status != MM_OK)
        return status;
    mm_wigner_table_put(&job->table, &job->grid, curve, s, job->wigner);
    describe(job, curve, s, state);
    return job->table.hdf5.status;
}

/* The file that is extended, or its extended copy. */
static const char *output_path(const struct job *job)
{
    return job->request->output == NULL ? job->request->path : job->request->output;
}

static mm_status add_states(struct job *job)
{
    const volatile int *stop = job->request->stop;
    mm_status status = job->table.hdf5.status;
    for (size_t c = 0; c < job->stored.curves; c++)
        for (size_t s = job->first; status == MM_OK && s < job->last; s++)
            status = stop != NULL && *stop != 0
                         ? mm_fail(job->error, MM_STOPPED, "%s: stopped; what is done is saved", output_path(job))
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

/* Extends a copy of the file under the output's temporary name. */
static mm_status write_temporary(struct job *job, const struct mm_output_file *output, bool keeps)
{
    const struct mm_wigner_table_shape shape = {job->stored.curves, job->stored.states + (job->computed != NULL),
                                                &job->grid, keeps};
    const struct mm_inserted_state inserted = {job->first, job->request->k, job->computed};
    mm_status status = mm_output_file_copy(output, job->request->path, job->error);
    if (status != MM_OK)
        return status;
    mm_wigner_table_begin(&job->table, output, &shape, &inserted, job->error);
    status = add_states(job);
    return then(status, mm_wigner_table_end(&job->table));
}

static mm_status write_output(struct job *job, bool keeps)
{
    const char *path = output_path(job);
    bool replace = job->request->output == NULL || job->request->replace;
    struct mm_output_file output = {0};
    mm_status status = mm_output_file_create(&output, path, replace, job->error);
    if (status != MM_OK)
        return status;
    status = write_temporary(job, &output, keeps);
    if (is_whole(status))
        return then(status, mm_output_file_commit(&output, replace, job->error));
    mm_output_file_discard(&output);
    return status;
}

static mm_status run(struct job *job)
{
    const size_t levels = job->stored.levels;
    bool keeps = false;
    job->state = (struct mm_state){.levels = (int)levels, .density = malloc(levels * levels * sizeof(double))};
    if (job->state.density == NULL)
        return mm_fail(job->error, MM_ERROR_MEMORY, "%s: out of memory for a state", job->request->path);
    mm_status status = select_states(job);
    if (status == MM_OK)
        status = prepare_report(job);
    if (status == MM_OK)
        status = lay_grid(job, &keeps);
    return status == MM_OK ? write_output(job, keeps) : status;
}

mm_status mm_wigner_file_add(const struct mm_wigner_request *request, struct mm_wigner_report *report,
                             struct mm_error *error)
{
    struct job job = {.request = request, .report = report, .error = error};
    *report = (struct mm_wigner_report){0};
    mm_status status = mm_stored_states_open(&job.stored, request->path, error);
    if (status != MM_OK)
        return status;
    const size_t curves = job.stored.curves;
    status = run(&job);
    status = then(status, mm_stored_states_close(&job.stored));
    for (size_t c = 0; job.computed != NULL && c < curves; c++)
        mm_state_free(&job.computed[c]);
    free(job.computed);
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
