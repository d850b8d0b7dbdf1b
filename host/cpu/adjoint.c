/* adjoint.c - the exact gradient of the cpu backend: the adjoint swept backwards over states of the run.
 *
 * With s_k = sign(E_k - E_{k-1}) in the tail and 0 outside, A_n = dL/dR_n = (dL/dW) dW/dR + lambda s_n H and
 *   A_k = Phi^T A_{k+1} + lambda (s_k - s_{k+1}) H,      dL/dw_j = sum over the batch of <Phi_j^T A_{k+1}, R_k>.
 *
 * The sum over a long batch takes few of its terms, with weights (solver/collision_sum.h). The run puts states
 * aside at the marks of its plan, from which those of the terms are reached in some collisions, and elsewhere A is
 * swept without derivatives. That needs terms that are smooth in k: where the energy turns inside a stretch of the
 * tail, A jumps, and where the corrections of the sum are too large it is not to be trusted; the stretch is swept
 * over all its collisions then.
 *
 * Where every collision counts, all states are needed in reverse. A thousand of them do not fit a cache, so that
 * one segment after the other is recomputed from the marks into the second-level cache: one more forward run in
 * all. Ranges too long for MM_SWEEP_PIECES marks recurse, at the cost of one more run a level; memory stays
 * bounded.
 *
 * What lies between two states that were put aside has one window, the same for its states and for A, and a smaller
 * one than the forward run needs: what a state holds near its edges matters to the loss, because all later states
 * inherit it, but hardly to the derivatives by the qubits of the next collisions. What is differentiated is the
 * windowed model R_{k+1} = P Phi R_k with the projection P on that window, whence A_k = P Phi^T P A_{k+1}.
 *
 * Where the run allows it (mm_single_part), states are recomputed and A is swept in single precision. A goes over
 * from double precision once, since they are the early ones.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/problem.h"
#include "cpu/run.h"
#include "base/memory.h"

/* The sweep in progress. */
struct sweep {
    struct mm_cpu_run *run;
    double by_instability; /* derivative of the loss */
    struct mm_tail tail;
    struct mm_window window;                /* outside it the adjoint is zero */
    enum mm_precision precision;            /* of the adjoint */
    double magnitude;                       /* sum of |terms| by few collisions, of all stretches up to now */
    struct mm_channel_gradient few;         /* of the present stretch, by few of its collisions */
    struct mm_channel_gradient corrections; /* of these */
};

/* Makes room for the states of a segment in the store in use. */
static mm_status reserve_segment(struct mm_cpu_run *run, int64_t count, struct mm_error *error)
{
    struct mm_cpu_store *store = mm_cpu_run_store(run);
    if (store->segment_capacity >= count)
        return MM_OK;
    struct mm_segment_state *segment = realloc(store->segment, (size_t)count * sizeof *segment);
    if (segment == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a segment of %lld states", (long long)count);
    store->segment = segment;
    while (store->segment_capacity < count) {
        struct mm_segment_state *state = &store->segment[store->segment_capacity];
        state->window = (struct mm_window){0, 0};
        state->data = mm_allocate_doubles(mm_cpu_run_matrix_bytes(run) / sizeof(double) + 1);
        if (state->data == NULL)
            return mm_fail(error, MM_ERROR_MEMORY, "no memory for a segment of %lld states", (long long)count);
        store->segment_capacity++;
    }
    return MM_OK;
}

/* The window of what lies between a state that was put aside and the next one. */
static struct mm_window window_between(const struct mm_checkpoint *checkpoint)
{
    return mm_window_hull(checkpoint->passed, checkpoint[1].window);
}

/* Computes again `count` states, from one that was put aside on, in the window up to the next one. */
static mm_status recompute_segment(struct mm_cpu_run *run, const struct mm_checkpoint *checkpoint, int64_t first,
                                   int64_t count, struct mm_error *error)
{
    mm_status status = reserve_segment(run, count, error);
    if (status != MM_OK)
        return status;
    struct mm_segment_state *segment = mm_cpu_run_store(run)->segment;
    mm_cpu_run_seek(run, first, window_between(checkpoint));
    for (int64_t k = 0; k < count; k++) {
        mm_cpu_run_clip(run, segment[k].data, segment[k].window, run->window);
        segment[k].window = run->window;
        if (k == 0)
            mm_cpu_load_checkpoint(run, checkpoint, segment[k].data, run->window);
        else
            mm_cpu_run_collide(run, segment[k - 1].data, segment[k].data);
    }
    return MM_OK;
}

/* Brings the adjoint from the window and the precision of the segment that ends later to the run's. */
static void enter_segment(struct sweep *sweep)
{
    struct mm_cpu_run *run = sweep->run;
    void *adjoint = mm_cpu_run_store(run)->adjoint;
    if (run->precision != sweep->precision) {
        memset(adjoint, 0, mm_cpu_run_matrix_bytes(run));
        mm_copy_window(
            (struct mm_band_matrix){sweep->precision, run->stride, run->stores[sweep->precision].adjoint},
            (struct mm_band_matrix){run->precision, run->stride, adjoint}, sweep->window);
    }
    mm_cpu_run_clip(run, adjoint, sweep->window, run->window);
    sweep->window = run->window;
    sweep->precision = run->precision;
}

/* Adds dL/d(instability) (s_k - s_{k+1}) H to A_k. */
static void add_source(const struct sweep *sweep, int64_t k)
{
    struct mm_cpu_run *run = sweep->run;
    void *adjoint = mm_cpu_run_store(run)->adjoint;
    const double weight = sweep->by_instability * mm_tail_source(sweep->tail, run->tail_signs, k);
    for (int n = 0; weight != 0.0 && n < run->window.levels; n++)
        if (run->precision == MM_SINGLE)
            ((float *)adjoint)[n] += (float)(weight * n);
        else
            ((double *)adjoint)[n] += weight * n;
}

/* One collision backwards, A_{k+1} becomes A_k, and its derivatives where the state before it is given. */
static struct mm_channel_gradient sweep_collision(struct sweep *sweep, const void *state)
{
    struct mm_cpu_run *run = sweep->run;
    const struct mm_channel_gradient term = mm_cpu_run_collide_back(run, mm_cpu_run_store(run)->adjoint, state);
    add_source(sweep, run->collision);
    return term;
}

/* Gives the batch of the last collision swept its share of the gradient. */
static void add_term(const struct sweep *sweep, struct mm_channel_gradient term)
{
    struct mm_channel_gradient *derivatives = &sweep->run->derivatives[sweep->run->batch];
    derivatives->by_q += term.by_q;
    derivatives->by_x += term.by_x;
}

/* A range no longer than a segment in which every collision counts. */
static mm_status sweep_segment(struct sweep *sweep, const struct mm_checkpoint *checkpoint,
                               struct mm_collision_range range, struct mm_error *error)
{
    struct mm_cpu_run *run = sweep->run;
    mm_status status = mm_cpu_run_use(run, mm_cpu_sweep_precision(run, range.end), error);
    if (status == MM_OK)
        status = recompute_segment(run, checkpoint, range.first, range.end - range.first, error);
    if (status != MM_OK)
        return status;
    enter_segment(sweep);
    mm_cpu_run_seek(run, range.end, run->window);
    for (int64_t k = range.end - 1; k >= range.first; k--)
        add_term(sweep, sweep_collision(sweep, mm_cpu_run_store(run)->segment[k - range.first].data));
    return MM_OK;
}

/* Puts states of a range, which begins at a state that was put aside, aside at equal distances. */
static mm_status refine(struct mm_cpu_run *run, const struct mm_checkpoint *from, struct mm_checkpoint *checkpoints,
                        struct mm_collision_range range, struct mm_error *error)
{
    const int64_t spacing = mm_sweep_spacing(range);
    mm_status status = mm_cpu_run_use(run, from->precision, error);
    if (status != MM_OK)
        return status;
    void *state = mm_cpu_run_store(run)->state;
    memset(state, 0, mm_cpu_run_matrix_bytes(run));
    mm_cpu_load_checkpoint(run, from, state, from->window);
    mm_cpu_run_seek(run, range.first, from->window);
    for (;;) {
        const int64_t passed = run->collision - range.first;
        if (passed % spacing == 0 || run->collision == range.end)
            status = mm_cpu_save_state(run, run->precision, &checkpoints[(passed + spacing - 1) / spacing], error);
        if (status != MM_OK || run->collision == range.end)
            return status;
        status = mm_cpu_run_advance(run, error);
        if (status != MM_OK)
            return status;
    }
}

/* A range in which every collision counts, between a state that was put aside and the next one. */
static mm_status sweep_every(struct sweep *sweep, int depth, const struct mm_checkpoint *checkpoint,
                             struct mm_collision_range range, struct mm_error *error)
{
    if (range.end - range.first <= MM_SWEEP_SEGMENT)
        return sweep_segment(sweep, checkpoint, range, error);
    struct mm_checkpoint *finer = sweep->run->checkpoints + (ptrdiff_t)depth * (MM_SWEEP_PIECES + 1);
    mm_status status = refine(sweep->run, checkpoint, finer, range, error);
    const int64_t spacing = mm_sweep_spacing(range);
    for (int64_t i = (range.end - range.first - 1) / spacing; status == MM_OK && i >= 0; i--) {
        const int64_t first = range.first + i * spacing;
        const struct mm_collision_range piece = {first, first + spacing < range.end ? first + spacing : range.end};
        status = sweep_every(sweep, depth + 1, &finer[i], piece, error);
    }
    return status;
}

/* Adds a term to the sums of the present stretch. */
static void add_weighted(struct sweep *sweep, struct mm_channel_gradient value, const struct mm_sweep_term *term)
{
    sweep->few.by_q += term->weight * value.by_q;
    sweep->few.by_x += term->weight * value.by_x;
    sweep->magnitude += fabs(term->weight) * (fabs(value.by_q) + fabs(value.by_x));
    sweep->corrections.by_q += term->correction * value.by_q;
    sweep->corrections.by_x += term->correction * value.by_x;
}

/* A piece of which only the terms from its mark on count, if there are any. */
static mm_status sweep_few(struct sweep *sweep, const struct mm_checkpoint *checkpoint,
                           const struct mm_sweep_mark *mark, struct mm_error *error)
{
    struct mm_cpu_run *run = sweep->run;
    const struct mm_sweep_term *terms = run->plan->terms;
    const int64_t first = mark->collision, end = mark[1].collision;
    size_t left = mark[1].first_term;
    mm_status status = mm_cpu_run_use(run, mm_cpu_sweep_precision(run, end), error);
    if (status == MM_OK && left > mark->first_term)
        status = recompute_segment(run, checkpoint, first, terms[left - 1].collision + 1 - first, error);
    if (status != MM_OK)
        return status;
    const struct mm_cpu_store *store = mm_cpu_run_store(run);
    mm_cpu_run_seek(run, end, window_between(checkpoint));
    enter_segment(sweep);
    for (int64_t k = end - 1; k >= first; k--)
        if (left > mark->first_term && terms[left - 1].collision == k) {
            left--;
            add_weighted(sweep, sweep_collision(sweep, store->segment[k - first].data), &terms[left]);
        } else {
            sweep_collision(sweep, NULL);
        }
    return MM_OK;
}

/* The pieces of a stretch, last one first. */
static mm_status sweep_pieces(struct sweep *sweep, const struct mm_sweep_stretch *stretch,
                              enum mm_stretch_kind kind, struct mm_error *error)
{
    const struct mm_sweep_mark *marks = sweep->run->plan->marks + stretch->first_mark;
    const struct mm_checkpoint *states = sweep->run->marks + stretch->first_mark;
    mm_status status = MM_OK;
    for (size_t i = stretch->piece_count; status == MM_OK && i-- > 0;)
        if (kind == MM_STRETCH_EVERY)
            status = sweep_every(sweep, 0, &states[i],
                                 (struct mm_collision_range){marks[i].collision, marks[i + 1].collision}, error);
        else
            status = sweep_few(sweep, &states[i], &marks[i], error);
    return status;
}

/* Whether A has a source between the first and the last state of a stretch. */
static bool has_source(const struct sweep *sweep, struct mm_collision_range range)
{
    for (int64_t k = range.first + 1; k < range.end; k++)
        if (mm_tail_source(sweep->tail, sweep->run->tail_signs, k) != 0)
            return true;
    return false;
}

/* Brings the adjoint back as it was when the sweep entered a stretch. */
static mm_status return_to_entry(struct sweep *sweep, struct mm_error *error)
{
    struct mm_cpu_run *run = sweep->run;
    mm_status status = mm_cpu_run_use(run, run->entry.precision, error);
    if (status != MM_OK)
        return status;
    sweep->precision = run->precision;
    sweep->window = run->entry.window;
    void *adjoint = mm_cpu_run_store(run)->adjoint;
    memset(adjoint, 0, mm_cpu_run_matrix_bytes(run));
    mm_cpu_load_checkpoint(run, &run->entry, adjoint, sweep->window);
    return MM_OK;
}

/* A stretch by few of its collisions, or by all of them if those few do not tell. */
static mm_status sweep_by_few(struct sweep *sweep, const struct mm_sweep_stretch *stretch, struct mm_error *error)
{
    struct mm_cpu_run *run = sweep->run;
    mm_status status = mm_cpu_run_use(run, sweep->precision, error);
    if (status == MM_OK)
        status = mm_cpu_save_checkpoint(run, mm_cpu_run_store(run)->adjoint, sweep->window, run->precision,
                                        &run->entry, error);
    sweep->few = sweep->corrections = (struct mm_channel_gradient){0.0, 0.0};
    if (status == MM_OK)
        status = sweep_pieces(sweep, stretch, MM_STRETCH_FEW, error);
    if (status == MM_OK && mm_sums_hold(run->plan->limits, sweep->by_instability, sweep->magnitude,
                                        sweep->corrections.by_q, sweep->corrections.by_x)) {
        add_term(sweep, sweep->few);
        return MM_OK;
    }
    if (status == MM_OK)
        status = return_to_entry(sweep, error);
    return status == MM_OK ? sweep_pieces(sweep, stretch, MM_STRETCH_EVERY, error) : status;
}

static mm_status sweep_stretch(struct sweep *sweep, const struct mm_sweep_stretch *stretch, struct mm_error *error)
{
    if (stretch->kind == MM_STRETCH_FEW && !has_source(sweep, stretch->range))
        return sweep_by_few(sweep, stretch, error);
    return sweep_pieces(sweep, stretch, stretch->kind == MM_STRETCH_FEW ? MM_STRETCH_EVERY : stretch->kind, error);
}

mm_status mm_cpu_adjoint_sweep(struct mm_cpu_run *run, double by_instability, struct mm_channel_gradient *gradient,
                               struct mm_error *error)
{
    const struct mm_problem *problem = run->problem;
    struct sweep sweep = {.run = run,
                          .by_instability = by_instability,
                          .tail = mm_problem_tail(problem),
                          .window = run->window,
                          .precision = MM_DOUBLE};
    mm_status status = MM_OK;
    for (size_t b = 0; b < problem->batch_count; b++)
        run->derivatives[b] = (struct mm_channel_gradient){0.0, 0.0};
    add_source(&sweep, sweep.tail.end);
    for (size_t i = run->plan->stretch_count; status == MM_OK && i-- > 0;)
        status = sweep_stretch(&sweep, &run->plan->stretches[i], error);
    for (size_t b = 0; status == MM_OK && b < problem->batch_count; b++)
        if (!problem->batches[b].fixed)
            *gradient++ = run->derivatives[b];
    return status;
}
