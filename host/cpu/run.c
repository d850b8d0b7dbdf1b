/* run.c - the banded state of one chain, carried from collision to collision in a window that follows it.
 *
 * Window. Elements outside rows < L and diagonals < B are dropped. A collision moves an element by at most one row
 * and one diagonal, so what it would drop is bounded before it is done. With D_{B-1} the outermost diagonal,
 *   dropped beyond the band  <= 2 x sum |D_{B-1}|,                  since |S_n C_m| + |C_n S_m| <= 1,
 *   dropped above the top    <= 2 |S_L| (w_e + x) sum_m |R_{L-1,m}|,
 * each counted over both triangles. The window grows where the first exceeds half the tolerance, or the second a
 * twentieth: what leaves the top takes its energy along, and the loss counts it up to lambda times. What is
 * accepted adds up to band_error. The sum of |elements| bounds a trace norm, and a channel contracts trace norms,
 * so that band_error bounds the trace norm of the error of every later state. A state's outer diagonals are given
 * up again where they have faded, under the same account.
 *
 * Derivatives reach further than the state: the derivative by x of a state moves one diagonal out even where x = 0
 * keeps the state diagonal, and the one by q one level up even where q = 1 keeps the vacuum. A run whose derivative
 * is wanted therefore keeps a margin: it grows as soon as the outermost two diagonals, or the top two rows, hold
 * more than the tolerance, whatever the qubit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/band_layout.h"
#include "cpu/run.h"
#include "base/memory.h"
#include "model/problem.h"

_Static_assert((int)MM_WINDOW_STEP == (int)MM_COLUMN_BLOCK, "live levels grow by whole blocks of columns");

enum {
    FIRST_LEVELS = 128, /* capacity to start with while the space is unbounded */
    FIRST_BANDS = 40,
    DERIVATIVE_REACH = 2, /* rows and diagonals beyond a state's that its derivatives may need */
};

mm_status mm_cpu_run_create(struct mm_cpu_run *run, const struct mm_problem *problem,
                            enum mm_instructions instructions, struct mm_error *error)
{
    run->problem = problem;
    run->spectrum_loops = mm_spectrum_loops(instructions);
    for (int i = 0; i < MM_PRECISIONS; i++)
        run->stores[i].loops = mm_collision_loops(instructions)[i];
    run->levels = problem->levels == MM_LEVELS_AUTO ? MM_LEVELS_MAX : problem->levels;
    run->batch_ends = calloc(problem->batch_count, sizeof *run->batch_ends);
    run->qubits = calloc(problem->batch_count, sizeof *run->qubits);
    run->derivatives = calloc(problem->batch_count, sizeof *run->derivatives);
    run->tail_signs = malloc((size_t)problem->tail);
    run->checkpoints = calloc((size_t)MM_CHECKPOINT_DEPTH * (MM_SWEEP_PIECES + 1), sizeof *run->checkpoints);
    if (!run->batch_ends || !run->qubits || !run->derivatives || !run->tail_signs || !run->checkpoints)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a run of %zu batches and a tail of %lld collisions",
                       problem->batch_count, (long long)problem->tail);
    mm_protocol_find_ends(problem, run->batch_ends);
    run->protocol = (struct mm_protocol){(int)problem->batch_count, run->batch_ends};
    run->capacity_levels = mm_smaller(run->levels, FIRST_LEVELS);
    run->capacity_bands = 1;
    run->window = (struct mm_window){run->capacity_levels, 1};
    int bands = mm_smaller(run->levels, FIRST_BANDS);
    return mm_cpu_run_reserve(run, (struct mm_window){run->capacity_levels, bands < 2 ? 2 : bands}, error);
}

void mm_cpu_run_free(struct mm_cpu_run *run)
{
    mm_cpu_run_free_stores(run);
    for (int i = 0; run->checkpoints != NULL && i < MM_CHECKPOINT_DEPTH * (MM_SWEEP_PIECES + 1); i++)
        free(run->checkpoints[i].data);
    for (size_t i = 0; i < run->mark_capacity; i++)
        free(run->marks[i].data);
    free(run->entry.data);
    free(run->checkpoints);
    free(run->marks);
    free(run->batch_ends);
    free(run->qubits);
    free(run->derivatives);
    free(run->tail_signs);
    mm_eigen_free(&run->eigen);
    mm_low_rank_free(&run->low_rank);
    *run = (struct mm_cpu_run){0};
}

/* ------------------------------------------------------------------------------------------------ window */

/* Sum of |elements| of one diagonal of the state. */
static double diagonal_sum(const struct mm_cpu_run *run, int diagonal)
{
    const struct mm_cpu_store *store = &run->stores[run->precision];
    return store->loops->diagonal_sum(store->state, run->stride, diagonal,
                                      mm_band_columns(run->window.levels - diagonal));
}

/* Sum of |elements| of one row of the state, lower triangle. */
static double row_sum(const struct mm_cpu_run *run, int row)
{
    const struct mm_cpu_store *store = &run->stores[run->precision];
    return store->loops->row_sum(store->state, run->stride, row, mm_smaller(run->window.bands, row + 1));
}

/* The same of a diagonal that may not be there, or that the rule does not look at. */
static double watched_sum(const struct mm_cpu_run *run, bool wanted, int diagonal)
{
    return wanted && diagonal >= 0 ? diagonal_sum(run, diagonal) : 0.0;
}

/* Chooses the window of the next state and accounts for what it drops. */
static struct mm_window choose_window(struct mm_cpu_run *run, struct mm_qubit qubit)
{
    const struct mm_window_rule rule = {run->levels, run->derivative, run->band_tolerance, fabs(run->sine_above),
                                        qubit};
    const bool may_rise = run->window.levels < run->levels;
    const double top = may_rise ? row_sum(run, run->window.levels - 1) : 0.0;
    const double below_top = may_rise && run->derivative ? row_sum(run, run->window.levels - 2) : 0.0;
    struct mm_window_choice choice = mm_window_choose_levels(rule, run->window, top, below_top);
    double faded = 0.0;
    while (mm_window_may_shrink(run->collision) && choice.window.bands > 1) {
        const int bands = choice.window.bands;
        const double outer = diagonal_sum(run, bands - 1);
        const double inner = diagonal_sum(run, bands - 2);
        const double innermost = watched_sum(run, run->derivative, bands - 3);
        if (!mm_window_gives_up(rule, choice.window, faded, outer, inner, innermost))
            break;
        faded += 2.0 * outer;
        choice.window.bands--;
    }
    const bool may_widen =
        choice.window.bands < choice.window.levels && (qubit.coherence != 0.0 || run->derivative);
    const double outer = watched_sum(run, may_widen, choice.window.bands - 1);
    const double inner = watched_sum(run, may_widen && run->derivative, choice.window.bands - 2);
    choice = mm_window_choose_bands(rule, choice, faded, outer, inner);
    run->band_error += choice.dropped;
    return choice.window;
}

struct mm_window mm_cpu_run_narrow_window(const struct mm_cpu_run *run, double limit)
{
    struct mm_window window = run->window;
    double outside = 2.0 * diagonal_sum(run, window.bands - 1);
    while (window.bands > 1 && outside <= limit)
        outside += 2.0 * diagonal_sum(run, --window.bands - 1);
    outside = 2.0 * row_sum(run, window.levels - 1);
    while (window.levels > 1 && outside <= limit)
        outside += 2.0 * row_sum(run, --window.levels - 1);
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

/* Makes the run stand at the vacuum with a coupling. */
static mm_status start_at_vacuum(struct mm_cpu_run *run, double g, const struct mm_single_part *single,
                                 struct mm_error *error)
{
    const struct mm_single_part nothing = {0, 0};
    run->single = single == NULL ? nothing : *single;
    const enum mm_precision precision = run->single.state > 0 ? MM_SINGLE : MM_DOUBLE;
    mm_status status = mm_cpu_run_use(run, precision, error);
    if (status != MM_OK)
        return status;
    void *state = mm_cpu_run_store(run)->state;
    memset(state, 0, mm_cpu_run_matrix_bytes(run));
    if (precision == MM_SINGLE)
        *(float *)state = 1.0F;
    else
        *(double *)state = 1.0;
    run->g = g;
    run->collision = 0;
    run->batch = 0;
    run->band_error = 0.0;
    run->truncation_population = 0.0;
    int levels = mm_smaller(run->levels, MM_COLUMN_BLOCK);
    run->window = (struct mm_window){levels, 1};
    mm_cpu_run_fill_tables(run);
    return MM_OK;
}

mm_status mm_cpu_run_start(struct mm_cpu_run *run, const struct mm_point *point, bool derivative,
                           const struct mm_single_part *single, struct mm_error *error)
{
    const struct mm_problem *problem = run->problem;
    mm_protocol_qubits(problem, point->parameters, run->qubits);
    run->band_tolerance = mm_point_band_tolerance(problem, point);
    run->derivative = derivative;
    return start_at_vacuum(run, point->g, single, error);
}

/* Smallest window, in the steps in which windows grow, that holds every element that is not zero. */
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

/* Replaces the vacuum at which the run stands by a state. */
static mm_status load_state(struct mm_cpu_run *run, const struct mm_state *state, struct mm_error *error)
{
    const struct mm_window window = window_of(run, state);
    mm_status status = mm_cpu_run_reserve(run, window, error);
    if (status != MM_OK)
        return status;
    mm_cpu_run_set_window(run, window);
    double *elements = mm_cpu_run_state(run);
    for (int d = 0; d < window.bands; d++)
        for (int m = 0; m + d < window.levels && m + d < state->levels; m++)
            elements[mm_band_index(run->stride, d, m)] =
                state->density[(size_t)(m + d) * (size_t)state->levels + (size_t)m];
    run->collision = state->collisions;
    run->band_error = state->band_error;
    run->truncation_population = state->truncation_population;
    return MM_OK;
}

mm_status mm_cpu_run_resume(struct mm_cpu_run *run, const struct mm_point *point, const struct mm_state *state,
                            struct mm_error *error)
{
    mm_status status = mm_cpu_run_start(run, point, false, NULL, error);
    return status == MM_OK ? load_state(run, state, error) : status;
}

mm_status mm_cpu_run_resume_drawn(struct mm_cpu_run *run, double g, const struct mm_state *state,
                                  struct mm_error *error)
{
    run->band_tolerance = run->problem->band_tolerance;
    run->derivative = false;
    mm_status status = start_at_vacuum(run, g, NULL, error);
    return status == MM_OK ? load_state(run, state, error) : status;
}

/* Goes to the batch of the next collision. */
static void enter_batch(struct mm_cpu_run *run)
{
    run->batch = mm_protocol_batch(run->protocol, run->collision, run->batch);
}

void mm_cpu_run_seek(struct mm_cpu_run *run, int64_t collision, struct mm_window window)
{
    run->collision = collision;
    run->batch = 0;
    enter_batch(run);
    mm_cpu_run_set_window(run, window);
}

/* The sweep over the run's window. */
static struct mm_band_sweep sweep_of(const struct mm_cpu_run *run)
{
    const struct mm_cpu_store *store = &run->stores[run->precision];
    struct mm_band_sweep sweep = {run->stride, run->window.levels, run->window.bands, store->cosine,
                                  store->sine, store->rows,        store->carried};
    return sweep;
}

static bool same_qubit(struct mm_qubit a, struct mm_qubit b)
{
    return a.excited == b.excited && a.ground == b.ground && a.coherence == b.coherence;
}

/* The sweep over the run's window with the row factors of a qubit. */
static struct mm_band_sweep sweep_with(struct mm_cpu_run *run, struct mm_qubit qubit)
{
    struct mm_cpu_store *store = mm_cpu_run_store(run);
    const struct mm_band_sweep sweep = sweep_of(run);
    if (store->rows_levels != run->window.levels || !same_qubit(store->rows_qubit, qubit)) {
        store->loops->fill_rows(&sweep, &qubit, store->rows);
        store->rows_qubit = qubit;
        store->rows_levels = run->window.levels;
    }
    return sweep;
}

/* target = window of Phi(source) with a qubit, in the store in use: the one step forward. */
static void collide(struct mm_cpu_run *run, struct mm_qubit qubit, const void *source, void *target)
{
    const struct mm_band_sweep sweep = sweep_with(run, qubit);
    mm_cpu_run_store(run)->loops->forward(&sweep, &qubit, source, target);
    run->collision++;
}

void mm_cpu_run_collide(struct mm_cpu_run *run, const void *source, void *target)
{
    enter_batch(run);
    collide(run, run->qubits[run->batch], source, target);
}

struct mm_channel_gradient mm_cpu_run_collide_back(struct mm_cpu_run *run, void *matrix, const void *state)
{
    const struct mm_collision_loops *loops = mm_cpu_run_store(run)->loops;
    struct mm_channel_gradient derivatives = {0.0, 0.0};
    run->collision--;
    enter_batch(run);
    const struct mm_qubit qubit = run->qubits[run->batch];
    const struct mm_band_sweep sweep = state == NULL ? sweep_with(run, qubit) : sweep_of(run);
    if (state == NULL)
        loops->backward(&sweep, &qubit, matrix);
    else
        loops->adjoint(&sweep, &qubit, matrix, state, &derivatives.by_q, &derivatives.by_x);
    return derivatives;
}

/* Goes over to the window that a collision with a qubit needs; what a smaller one leaves outside is cleared. */
static mm_status prepare_window(struct mm_cpu_run *run, struct mm_qubit qubit, struct mm_error *error)
{
    const struct mm_window window = choose_window(run, qubit);
    if (same_window(window, run->window))
        return MM_OK;
    if (window.bands < run->window.bands)
        mm_cpu_run_clip(run, mm_cpu_run_store(run)->state, run->window,
                        (struct mm_window){run->window.levels, window.bands});
    mm_status status = mm_cpu_run_reserve(run, window, error);
    if (status == MM_OK)
        mm_cpu_run_set_window(run, window);
    return status;
}

/* Continues a run in double precision. Rounding has changed the trace of the state by some 1e-5, which is undone.
 */
static mm_status leave_single(struct mm_cpu_run *run, struct mm_error *error)
{
    const struct mm_band_matrix from = {MM_SINGLE, run->stride, run->stores[MM_SINGLE].state};
    const struct mm_band_matrix to = {MM_DOUBLE, run->stride, run->stores[MM_DOUBLE].state};
    double *state = to.data, trace = 0.0;
    mm_status status = mm_cpu_run_use(run, MM_DOUBLE, error);
    if (status != MM_OK)
        return status;
    memset(state, 0, mm_cpu_run_matrix_bytes(run));
    mm_copy_window(from, to, run->window);
    for (int n = 0; n < run->window.levels; n++)
        trace += state[n];
    for (size_t i = 0; i < (size_t)run->window.bands * run->stride; i++)
        state[i] /= trace;
    return MM_OK;
}

/* A collision of the state with a qubit. */
static mm_status advance(struct mm_cpu_run *run, struct mm_qubit qubit, struct mm_error *error)
{
    mm_status status = prepare_window(run, qubit, error);
    if (status != MM_OK)
        return status;
    void *state = mm_cpu_run_store(run)->state;
    collide(run, qubit, state, state);
    if (run->precision == MM_SINGLE)
        return run->collision < run->single.state ? MM_OK : leave_single(run, error);
    if (run->window.levels == run->levels)
        run->truncation_population = fmax(run->truncation_population, ((double *)state)[run->levels - 1]);
    return MM_OK;
}

mm_status mm_cpu_run_advance(struct mm_cpu_run *run, struct mm_error *error)
{
    enter_batch(run);
    return advance(run, run->qubits[run->batch], error);
}

mm_status mm_cpu_run_advance_drawn(struct mm_cpu_run *run, const struct mm_drawn_collision *drawn,
                                   struct mm_error *error)
{
    if (drawn->g != run->g) {
        run->g = drawn->g;
        mm_cpu_run_fill_tables(run);
    }
    return advance(run, mm_qubit_from_population(drawn->c, drawn->q), error);
}

/* --------------------------------------------------------------------------------------- figures of merit */

double mm_cpu_run_energy(const struct mm_cpu_run *run)
{
    const double *state = mm_cpu_run_state(run);
    double sums[MM_COLUMN_BLOCK] = {0};
    for (int n = 0; n < mm_band_columns(run->window.levels); n += MM_COLUMN_BLOCK)
        for (int i = 0; i < MM_COLUMN_BLOCK; i++)
            sums[i] += (double)(n + i) * state[n + i];
    double energy = 0.0;
    for (int i = 0; i < MM_COLUMN_BLOCK; i++)
        energy += sums[i];
    return energy;
}

double mm_cpu_run_purity(const struct mm_cpu_run *run)
{
    double diagonal = 0.0, below = 0.0;
    for (int d = 0; d < run->window.bands; d++) {
        const double *elements = mm_cpu_run_state(run) + mm_band_index(run->stride, d, 0);
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
