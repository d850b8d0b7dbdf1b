/* cpu_run.c - the banded state of one chain, carried from collision to collision in a window that follows it.
 *
 * Window. Elements outside rows < L and diagonals < B are dropped. A collision moves an element by at most one row
 * and one diagonal, so what it would drop is bounded before it is done. With D_{B-1} the outermost diagonal,
 *   dropped beyond the band  <= 2 x sum |D_{B-1}|,                  since |S_n C_m| + |C_n S_m| <= 1,
 *   dropped above the top    <= 2 |S_L| (w_e + x) sum_m |R_{L-1,m}|,
 * each counted over both triangles. Whichever exceeds half the tolerance makes the window grow; what is accepted
 * adds up to band_error. The sum of |elements| bounds a trace norm, and a channel contracts trace norms, so that
 * band_error bounds the trace norm of the error of every later state. A state's outer diagonals are given up again
 * where they have faded, under the same account.
 *
 * Derivatives reach further than the state: the derivative by x of a state moves one diagonal out even where x = 0
 * keeps the state diagonal, and the one by q one level up even where q = 1 keeps the vacuum. A run whose derivative
 * is wanted therefore keeps a margin: it grows as soon as the outermost two diagonals, or the top two rows, hold
 * more than the tolerance, whatever the qubit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "band_layout.h"
#include "cpu_run.h"
#include "memory.h"
#include "problem.h"

enum {
    FIRST_LEVELS = 128, /* capacity to start with while the space is unbounded */
    FIRST_BANDS = 40,
    SHRINK_INTERVAL = 16, /* collisions between looks at whether the band may shrink */
    DERIVATIVE_REACH = 2, /* rows and diagonals beyond a state's that its derivatives may need */
};

/** Share of a collision's allowance that a shrinking band may use: what fades goes on fading. */
static const double SHRINK_SHARE = 0.25;

size_t mm_cpu_run_matrix_size(const struct mm_cpu_run *run)
{
    return (size_t)(run->capacity_bands + 1) * run->stride;
}

/* ------------------------------------------------------------------------------------------------ memory */

void mm_cpu_run_copy_window(const double *source, size_t source_stride, double *target, size_t target_stride,
                            struct mm_window window)
{
    size_t columns = (size_t)mm_band_columns(window.levels);
    for (int d = 0; d < window.bands; d++)
        memcpy(target + mm_band_index(target_stride, d, 0), source + mm_band_index(source_stride, d, 0),
               columns * sizeof(double));
}

/** Fills S_n from `first` on, cut off at the window: nothing leaves it upwards. */
static void fill_sines(struct mm_cpu_run *run, int first)
{
    int levels = run->window.levels;
    int rows = 2 * mm_band_columns(run->capacity_levels) + 2 * MM_COLUMN_BLOCK;
    for (int n = first; n < levels; n++)
        run->sine[n] = mm_collision_sin(run->g, n, run->levels);
    memset(run->sine + levels, 0, (size_t)(rows - levels) * sizeof(double));
}

/** Fills the tables of a new g or a new size. */
static void fill_tables(struct mm_cpu_run *run)
{
    for (int n = 0; n <= run->capacity_levels; n++)
        run->cosine[n] = mm_collision_cos(run->g, n, run->levels);
    fill_sines(run, 0);
    run->rows_levels = 0;
}

static void free_segment(struct mm_cpu_run *run)
{
    for (int i = 0; i < run->segment_capacity; i++)
        free(run->segment[i].data);
    free(run->segment);
    run->segment = NULL;
    run->segment_capacity = 0;
}

/** Makes room for a window; the state moves along. */
static mm_status reserve(struct mm_cpu_run *run, struct mm_window window, struct mm_error *error)
{
    if (window.levels <= run->capacity_levels && window.bands <= run->capacity_bands)
        return MM_OK;
    struct mm_cpu_run larger = *run;
    while (larger.capacity_levels < window.levels)
        larger.capacity_levels += larger.capacity_levels / 2 + 1;
    if (larger.capacity_levels > run->levels)
        larger.capacity_levels = run->levels;
    while (larger.capacity_bands < window.bands)
        larger.capacity_bands += larger.capacity_bands / 2 + 1;
    larger.stride = mm_band_stride(larger.capacity_levels);
    size_t rows = 2 * (size_t)mm_band_columns(larger.capacity_levels) + 2 * MM_COLUMN_BLOCK;
    larger.cosine = mm_allocate_doubles(rows);
    larger.sine = mm_allocate_doubles(rows);
    larger.rows = mm_allocate_doubles((size_t)mm_band_rows(larger.capacity_levels) * MM_ROW_DOUBLES);
    larger.carried = mm_allocate_doubles((size_t)(larger.capacity_bands + 2) * MM_COLUMN_BLOCK);
    larger.state = mm_allocate_doubles(mm_cpu_run_matrix_size(&larger));
    larger.adjoint = mm_allocate_doubles(mm_cpu_run_matrix_size(&larger));
    if (!larger.cosine || !larger.sine || !larger.rows || !larger.carried || !larger.state || !larger.adjoint) {
        free(larger.cosine);
        free(larger.sine);
        free(larger.rows);
        free(larger.carried);
        free(larger.state);
        free(larger.adjoint);
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a band of %d diagonals over %d levels",
                       larger.capacity_bands, larger.capacity_levels);
    }
    if (run->state != NULL)
        mm_cpu_run_copy_window(run->state, run->stride, larger.state, larger.stride, run->window);
    free(run->cosine);
    free(run->sine);
    free(run->rows);
    free(run->carried);
    free(run->state);
    free(run->adjoint);
    free_segment(run);
    larger.segment = NULL;
    larger.segment_capacity = 0;
    *run = larger;
    fill_tables(run);
    return MM_OK;
}

mm_status mm_cpu_run_create(struct mm_cpu_run *run, const struct mm_problem *problem,
                            const struct mm_band_loops *loops, struct mm_error *error)
{
    run->problem = problem;
    run->loops = loops;
    run->levels = problem->levels == MM_LEVELS_AUTO ? MM_LEVELS_MAX : problem->levels;
    run->batch_ends = calloc(problem->batch_count, sizeof *run->batch_ends);
    run->qubits = calloc(problem->batch_count, sizeof *run->qubits);
    run->derivatives = calloc(problem->batch_count, sizeof *run->derivatives);
    run->tail_signs = malloc((size_t)problem->tail);
    run->checkpoints = calloc((size_t)MM_CHECKPOINT_DEPTH * (MM_CHECKPOINT_FAN + 1), sizeof *run->checkpoints);
    if (!run->batch_ends || !run->qubits || !run->derivatives || !run->tail_signs || !run->checkpoints)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a run of %zu batches and a tail of %lld collisions",
                       problem->batch_count, (long long)problem->tail);
    int64_t end = 0;
    for (size_t b = 0; b < problem->batch_count; b++)
        run->batch_ends[b] = end += problem->batches[b].qubits;
    run->capacity_levels = mm_smaller(run->levels, FIRST_LEVELS);
    run->capacity_bands = 1;
    run->window = (struct mm_window){run->capacity_levels, 1};
    int bands = mm_smaller(run->levels, FIRST_BANDS);
    return reserve(run, (struct mm_window){run->capacity_levels, bands < 2 ? 2 : bands}, error);
}

void mm_cpu_run_free(struct mm_cpu_run *run)
{
    free_segment(run);
    for (int i = 0; run->checkpoints != NULL && i < MM_CHECKPOINT_DEPTH * (MM_CHECKPOINT_FAN + 1); i++)
        free(run->checkpoints[i].data);
    free(run->checkpoints);
    free(run->batch_ends);
    free(run->qubits);
    free(run->derivatives);
    free(run->cosine);
    free(run->sine);
    free(run->rows);
    free(run->carried);
    free(run->state);
    free(run->tail_signs);
    free(run->adjoint);
    mm_eigen_free(&run->eigen);
    *run = (struct mm_cpu_run){0};
}

/* ------------------------------------------------------------------------------------------------ window */

void mm_cpu_run_set_window(struct mm_cpu_run *run, struct mm_window window)
{
    int before = run->window.levels;
    run->window = window;
    if (window.levels != before)
        fill_sines(run, before);
}

void mm_cpu_run_clip(const struct mm_cpu_run *run, double *matrix, struct mm_window from, struct mm_window to)
{
    size_t columns = (size_t)mm_band_columns(from.levels);
    for (int d = to.bands; d < from.bands; d++)
        memset(matrix + mm_band_index(run->stride, d, 0), 0, columns * sizeof(double));
    for (int d = 0; d < to.bands && to.levels < from.levels; d++) {
        int first = to.levels > d ? to.levels - d : 0;
        memset(matrix + mm_band_index(run->stride, d, first), 0, (columns - (size_t)first) * sizeof(double));
    }
}

/** Sum of |elements| of one diagonal, in a fixed order that vectorises. */
static double diagonal_sum(const struct mm_cpu_run *run, const double *state, int diagonal)
{
    const double *elements = state + mm_band_index(run->stride, diagonal, 0);
    int count = mm_band_columns(run->window.levels - diagonal);
    double sums[MM_COLUMN_BLOCK] = {0};
    for (int m = 0; m < count; m += MM_COLUMN_BLOCK)
        for (int i = 0; i < MM_COLUMN_BLOCK; i++)
            sums[i] += fabs(elements[m + i]);
    double sum = 0.0;
    for (int i = 0; i < MM_COLUMN_BLOCK; i++)
        sum += sums[i];
    return sum;
}

/** Sum of |elements| of one row, lower triangle. */
static double row_sum(const struct mm_cpu_run *run, const double *state, int row)
{
    double sums[2] = {0.0, 0.0};
    int bands = run->window.bands < row + 1 ? run->window.bands : row + 1;
    for (int d = 0; d < bands; d++)
        sums[d % 2] += fabs(state[mm_band_index(run->stride, d, row - d)]);
    return sums[0] + sums[1];
}

/** What a collision does to the edge of a window. */
struct edge {
    double dropped; /* sum of |elements| of the state that fall off */
    double watched; /* what decides whether the window grows: dropped itself, or what a derivative needs */
};

/** The top of the window. */
static struct edge edge_above(const struct mm_cpu_run *run, const double *state, struct mm_qubit qubit)
{
    struct edge edge = {0.0, 0.0};
    int levels = run->window.levels;
    if (levels >= run->levels)
        return edge;
    double reach = fabs(mm_collision_sin(run->g, levels, run->levels)) * (qubit.excited + qubit.coherence);
    double outer = 2.0 * row_sum(run, state, levels - 1);
    edge.dropped = reach * outer;
    edge.watched = run->derivative ? outer + 2.0 * row_sum(run, state, levels - 2) : edge.dropped;
    return edge;
}

/** The outermost diagonal of a window. */
static struct edge edge_beyond(const struct mm_cpu_run *run, const double *state, struct mm_qubit qubit,
                               struct mm_window window)
{
    struct edge edge = {0.0, 0.0};
    if (window.bands >= window.levels || (qubit.coherence == 0.0 && !run->derivative))
        return edge;
    double outer = diagonal_sum(run, state, window.bands - 1);
    double inner = run->derivative && window.bands > 1 ? diagonal_sum(run, state, window.bands - 2) : 0.0;
    edge.dropped = 2.0 * qubit.coherence * outer;
    edge.watched = run->derivative ? outer + inner : edge.dropped;
    return edge;
}

/** Shrinks the band of a window by the outer diagonals that have faded, unless their inner neighbour would make it
 *  grow again at once. Returns the sum of |elements| that this gives up. */
static double shrink_band(const struct mm_cpu_run *run, const double *state, struct mm_qubit qubit, double limit,
                          struct mm_window *window)
{
    double dropped = 0.0;
    while (window->bands > 1) {
        struct mm_window smaller = {window->levels, window->bands - 1};
        double outer = dropped + 2.0 * diagonal_sum(run, state, smaller.bands);
        if (outer > limit || edge_beyond(run, state, qubit, smaller).watched > limit)
            break;
        dropped = outer;
        *window = smaller;
    }
    return dropped;
}

/** Chooses the window of the next state and accounts for what it drops. */
static struct mm_window choose_window(struct mm_cpu_run *run, const double *state, struct mm_qubit qubit)
{
    const double limit = 0.5 * run->band_tolerance;
    struct mm_window window = run->window;
    struct edge above = edge_above(run, state, qubit);
    if (above.watched > limit) {
        window.levels += MM_COLUMN_BLOCK;
        window.levels = mm_smaller(window.levels, run->levels);
        above.dropped = 0.0;
    }
    double faded = 0.0;
    if (run->collision % SHRINK_INTERVAL == 0)
        faded = shrink_band(run, state, qubit, SHRINK_SHARE * limit, &window);
    struct edge beyond = edge_beyond(run, state, qubit, window);
    if (beyond.watched > limit) {
        window.bands++;
        beyond.dropped = 0.0;
    }
    run->band_error += above.dropped + faded + beyond.dropped;
    return window;
}

struct mm_window mm_cpu_run_narrow_window(const struct mm_cpu_run *run, double limit)
{
    struct mm_window window = run->window;
    double outside = 2.0 * diagonal_sum(run, run->state, window.bands - 1);
    while (window.bands > 1 && outside <= limit)
        outside += 2.0 * diagonal_sum(run, run->state, --window.bands - 1);
    outside = 2.0 * row_sum(run, run->state, window.levels - 1);
    while (window.levels > 1 && outside <= limit)
        outside += 2.0 * row_sum(run, run->state, --window.levels - 1);
    window.levels = mm_band_columns(window.levels + DERIVATIVE_REACH);
    window.bands += DERIVATIVE_REACH;
    window = mm_window_common(window, run->window);
    window.bands = mm_smaller(window.bands, window.levels);
    return window;
}

static bool same_window(struct mm_window a, struct mm_window b)
{
    return a.levels == b.levels && a.bands == b.bands;
}

/* --------------------------------------------------------------------------------------------------- run */

/** Makes the run stand at the vacuum with a coupling. */
static void start_at_vacuum(struct mm_cpu_run *run, double g, bool derivative)
{
    memset(run->state, 0, mm_cpu_run_matrix_size(run) * sizeof(double));
    run->state[0] = 1.0;
    run->g = g;
    run->derivative = derivative;
    run->collision = 0;
    run->batch = 0;
    run->band_error = 0.0;
    run->truncation_population = 0.0;
    int levels = mm_smaller(run->levels, MM_COLUMN_BLOCK);
    run->window = (struct mm_window){levels, 1};
    fill_tables(run);
}

void mm_cpu_run_start(struct mm_cpu_run *run, const struct mm_point *point, bool derivative)
{
    const struct mm_problem *problem = run->problem;
    const double *parameter = point->parameters;
    for (size_t b = 0; b < problem->batch_count; b++) {
        const struct mm_batch *batch = &problem->batches[b];
        run->qubits[b] = batch->fixed ? mm_qubit_from_population(batch->c, batch->q)
                                      : mm_qubit_from_population(parameter[0], parameter[1]);
        if (!batch->fixed)
            parameter += 2;
    }
    run->band_tolerance = mm_point_band_tolerance(problem, point);
    start_at_vacuum(run, point->g, derivative);
}

/** Smallest window, in the steps in which windows grow, that holds every element that is not zero. */
static struct mm_window window_of(const struct mm_cpu_run *run, const struct mm_state *state)
{
    const size_t levels = (size_t)state->levels;
    struct mm_window window = {1, 1};
    for (size_t n = 0; n < levels; n++)
        for (size_t m = 0; m <= n; m++)
            if (state->density[n * levels + m] != 0.0) {
                const int bands = (int)(n - m) + 1;
                window.levels = (int)n + 1;
                window.bands = window.bands > bands ? window.bands : bands;
            }
    window.levels = mm_band_columns(window.levels);
    window.levels = mm_smaller(window.levels, run->levels);
    return window;
}

/** Replaces the vacuum at which the run stands by a state. */
static mm_status load_state(struct mm_cpu_run *run, const struct mm_state *state, struct mm_error *error)
{
    const struct mm_window window = window_of(run, state);
    mm_status status = reserve(run, window, error);
    if (status != MM_OK)
        return status;
    mm_cpu_run_set_window(run, window);
    for (int d = 0; d < window.bands; d++)
        for (int m = 0; m + d < window.levels && m + d < state->levels; m++)
            run->state[mm_band_index(run->stride, d, m)] =
                state->density[(size_t)(m + d) * (size_t)state->levels + (size_t)m];
    run->collision = state->collisions;
    run->band_error = state->band_error;
    run->truncation_population = state->truncation_population;
    return MM_OK;
}

mm_status mm_cpu_run_resume(struct mm_cpu_run *run, const struct mm_point *point, const struct mm_state *state,
                            struct mm_error *error)
{
    mm_cpu_run_start(run, point, false);
    return state->density == NULL ? MM_OK : load_state(run, state, error);
}

mm_status mm_cpu_run_resume_drawn(struct mm_cpu_run *run, double g, const struct mm_state *state,
                                  struct mm_error *error)
{
    run->band_tolerance = run->problem->band_tolerance;
    start_at_vacuum(run, g, false);
    return state->density == NULL ? MM_OK : load_state(run, state, error);
}

/** Forward to the batch of the next collision; the last batch goes on after the schedule ends. */
static void enter_batch(struct mm_cpu_run *run)
{
    while (run->batch + 1 < run->problem->batch_count && run->collision >= run->batch_ends[run->batch])
        run->batch++;
}

void mm_cpu_run_seek(struct mm_cpu_run *run, int64_t collision, struct mm_window window)
{
    run->collision = collision;
    run->batch = 0;
    enter_batch(run);
    mm_cpu_run_set_window(run, window);
}

void mm_cpu_run_step_back(struct mm_cpu_run *run)
{
    run->collision--;
    while (run->batch > 0 && run->collision < run->batch_ends[run->batch - 1])
        run->batch--;
}

struct mm_band_sweep mm_cpu_run_sweep(const struct mm_cpu_run *run)
{
    struct mm_band_sweep sweep = {run->stride, run->window.levels, run->window.bands, run->cosine,
                                  run->sine,   run->rows,          run->carried};
    return sweep;
}

/** Goes over to the window that the collision with run->qubit needs. */
static mm_status prepare_window(struct mm_cpu_run *run, double *source, struct mm_error *error)
{
    const struct mm_window window = choose_window(run, source, run->qubit);
    if (same_window(window, run->window))
        return MM_OK;
    if (window.bands < run->window.bands)
        mm_cpu_run_clip(run, source, run->window, (struct mm_window){run->window.levels, window.bands});
    mm_status status = reserve(run, window, error);
    if (status == MM_OK)
        mm_cpu_run_set_window(run, window);
    return status;
}

void mm_cpu_run_prepare_as_it_is(struct mm_cpu_run *run)
{
    enter_batch(run);
    run->qubit = run->qubits[run->batch];
}

mm_status mm_cpu_run_prepare(struct mm_cpu_run *run, double *source, struct mm_error *error)
{
    mm_cpu_run_prepare_as_it_is(run);
    return prepare_window(run, source, error);
}

mm_status mm_cpu_run_prepare_drawn(struct mm_cpu_run *run, double *source, const struct mm_drawn_collision *drawn,
                                   struct mm_error *error)
{
    run->qubit = mm_qubit_from_population(drawn->c, drawn->q);
    if (drawn->g != run->g) {
        run->g = drawn->g;
        fill_tables(run);
    }
    return prepare_window(run, source, error);
}

static bool same_qubit(struct mm_qubit a, struct mm_qubit b)
{
    return a.excited == b.excited && a.ground == b.ground && a.coherence == b.coherence;
}

void mm_cpu_run_collide(struct mm_cpu_run *run, const double *source, double *target)
{
    struct mm_band_sweep sweep = mm_cpu_run_sweep(run);
    if (run->rows_levels != run->window.levels || !same_qubit(run->rows_qubit, run->qubit)) {
        run->loops->fill_rows(&sweep, &run->qubit, run->rows);
        run->rows_qubit = run->qubit;
        run->rows_levels = run->window.levels;
    }
    run->loops->forward(&sweep, &run->qubit, source, target);
    run->collision++;
    if (run->window.levels == run->levels && target[run->levels - 1] > run->truncation_population)
        run->truncation_population = target[run->levels - 1];
}

/* --------------------------------------------------------------------------------------- figures of merit */

double mm_cpu_run_energy(const struct mm_cpu_run *run)
{
    double sums[MM_COLUMN_BLOCK] = {0};
    for (int n = 0; n < mm_band_columns(run->window.levels); n += MM_COLUMN_BLOCK)
        for (int i = 0; i < MM_COLUMN_BLOCK; i++)
            sums[i] += (double)(n + i) * run->state[n + i];
    double energy = 0.0;
    for (int i = 0; i < MM_COLUMN_BLOCK; i++)
        energy += sums[i];
    return energy;
}

double mm_cpu_run_purity(const struct mm_cpu_run *run)
{
    double diagonal = 0.0, below = 0.0;
    for (int d = 0; d < run->window.bands; d++) {
        const double *elements = run->state + mm_band_index(run->stride, d, 0);
        double sum = 0.0;
        for (int m = 0; m < run->window.levels - d; m++)
            sum += elements[m] * elements[m];
        if (d == 0)
            diagonal = sum;
        else
            below += sum;
    }
    return diagonal + 2.0 * below;
}
