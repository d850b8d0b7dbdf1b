/* cpu_adjoint.c - the exact gradient of the cpu backend: the adjoint swept backwards over recomputed states.
 *
 * With s_k = sign(E_k - E_{k-1}) in the tail and 0 outside, A_n = dL/dR_n = (dL/dW) dW/dR + lambda s_n H and
 *   A_k = Phi^T A_{k+1} + lambda (s_k - s_{k+1}) H,      dL/dw_j = sum over the batch of <Phi_j^T A_{k+1}, R_k>.
 *
 * The states R_k are needed in reverse. A thousand of them do not fit a cache, so the run leaves checkpoints from
 * which one segment after the other is recomputed into the second-level cache: one more forward run in all. Ranges
 * too long for MM_CHECKPOINT_FAN checkpoints recurse, at the cost of one more run a level; memory stays bounded.
 *
 * A segment has one window, the same for its states and for A, and a smaller one than the forward run needs: what a
 * state holds near its edges matters to the loss, because all later states inherit it, but hardly to the
 * derivatives by the qubits of its own segment. What is differentiated is the windowed model R_{k+1} = P Phi R_k
 * with the projection P on that window, whence A_k = P Phi^T P A_{k+1}.
 *
 * Where the run allows it (mm_single_part), segments are recomputed and swept in single precision. A goes over from
 * double precision once, since they are the early ones.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "band_layout.h"
#include "cpu_run.h"
#include "memory.h"

/* Collisions of a segment. With 120 levels its states fill about half a megabyte; half or twice as many are no
 * faster. It is the same for all sizes, because the windows of the segments, and with them the last digits of
 * a gradient, must not depend on how much memory earlier points have needed. */
enum { SEGMENT_COLLISIONS = 16 };

/** The sum of |elements| that a segment's window may leave out of its first and its last state: so many tolerances
 * of one collision, but not more than the limit unless the tolerance itself is. With a tolerance of 1e-16, N = 120
 * and n = 1000 gradients are right to 1e-9 then, and take a tenth less time. */
static const double SEGMENT_TOLERANCES = 1e3;
static const double SEGMENT_LIMIT = 1e-13;

/** The sweep in progress. */
struct sweep {
    struct mm_cpu_run *run;
    double lambda;
    int64_t collisions;
    int64_t tail_start;          /* the last state before the tail */
    struct mm_window window;     /* outside it the adjoint is zero */
    enum mm_precision precision; /* of the adjoint */
};

/* ------------------------------------------------------------------------------------------- checkpoints */

/** Collisions between the checkpoints of a range. */
static int64_t spacing_in(struct mm_collision_range range)
{
    const int64_t least = (range.end - range.first + MM_CHECKPOINT_FAN - 1) / MM_CHECKPOINT_FAN;
    return least > SEGMENT_COLLISIONS ? least : SEGMENT_COLLISIONS;
}

static struct mm_checkpoint *checkpoint_at(const struct mm_cpu_run *run, int depth, int64_t index)
{
    return &run->checkpoints[(int64_t)depth * (MM_CHECKPOINT_FAN + 1) + index];
}

/** What the segments that begin or end at the run's state need of it. */
static struct mm_window segment_window(const struct mm_cpu_run *run)
{
    const double tolerance = run->band_tolerance;
    return mm_cpu_run_narrow_window(run, fmin(SEGMENT_TOLERANCES * tolerance, fmax(SEGMENT_LIMIT, tolerance)));
}

static mm_status save(struct mm_cpu_run *run, struct mm_checkpoint *checkpoint, struct mm_error *error)
{
    const struct mm_cpu_store *store = mm_cpu_run_store(run);
    const size_t columns = (size_t)mm_band_columns(run->window.levels);
    const size_t bytes = columns * (size_t)run->window.bands * store->loops->number_size;
    if (bytes > checkpoint->capacity) {
        const size_t doubles = bytes / sizeof(double) + bytes / (4 * sizeof(double)) + 1;
        double *data = mm_allocate_doubles(doubles);
        if (data == NULL)
            return mm_fail(error, MM_ERROR_MEMORY, "no memory for a checkpoint of %zu bytes", bytes);
        free(checkpoint->data);
        checkpoint->data = data;
        checkpoint->capacity = doubles * sizeof(double);
    }
    checkpoint->window = run->window;
    checkpoint->narrow = segment_window(run);
    checkpoint->precision = run->precision;
    mm_copy_window((struct mm_band_matrix){run->precision, run->stride, store->state},
                   (struct mm_band_matrix){run->precision, columns, checkpoint->data}, run->window);
    return MM_OK;
}

mm_status mm_cpu_checkpoint(struct mm_cpu_run *run, int depth, struct mm_collision_range range,
                            struct mm_error *error)
{
    const int64_t spacing = spacing_in(range), passed = run->collision - range.first;
    if (passed % spacing != 0 && run->collision != range.end)
        return MM_OK;
    return save(run, checkpoint_at(run, depth, (passed + spacing - 1) / spacing), error);
}

/** Brings the part of a checkpoint that lies in a window into a matrix of the store in use that is zero outside it.
 */
static void restore(const struct mm_cpu_run *run, const struct mm_checkpoint *checkpoint, void *matrix,
                    struct mm_window window)
{
    const struct mm_window common = mm_window_common(checkpoint->window, window);
    const size_t columns = (size_t)mm_band_columns(checkpoint->window.levels);
    mm_cpu_run_clip(run, matrix, window, common);
    mm_copy_window((struct mm_band_matrix){checkpoint->precision, columns, checkpoint->data},
                   (struct mm_band_matrix){run->precision, run->stride, matrix}, common);
    mm_cpu_run_clip(run, matrix, checkpoint->window, common);
}

/* ------------------------------------------------------------------------------------------------ sweep */

/** Makes room for the states of a segment in the store in use. */
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

/** Recomputes the states of a segment, between checkpoint `index` of a depth and the next one, in its window. */
static mm_status recompute_segment(struct mm_cpu_run *run, int depth, int64_t index,
                                   struct mm_collision_range range, struct mm_error *error)
{
    const struct mm_checkpoint *checkpoint = checkpoint_at(run, depth, index);
    const struct mm_window window = mm_window_hull(checkpoint->narrow, checkpoint[1].narrow);
    mm_status status = mm_cpu_run_use(run, range.end <= run->single.adjoint ? MM_SINGLE : MM_DOUBLE, error);
    if (status == MM_OK)
        status = reserve_segment(run, range.end - range.first, error);
    if (status != MM_OK)
        return status;
    mm_cpu_run_seek(run, range.first, window);
    for (int64_t k = range.first; k < range.end; k++) {
        struct mm_segment_state *state = &mm_cpu_run_store(run)->segment[k - range.first];
        mm_cpu_run_clip(run, state->data, state->window, window);
        state->window = window;
        if (k == range.first)
            restore(run, checkpoint, state->data, window);
        else
            mm_cpu_run_collide(run, state[-1].data, state->data);
    }
    return MM_OK;
}

/** Brings the adjoint from the window and the precision of the segment that ends later to the run's. */
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

/** s_k of the energy step that ends in state k. */
static int tail_sign(const struct sweep *sweep, int64_t k)
{
    return k > sweep->tail_start && k <= sweep->collisions ? sweep->run->tail_signs[k - 1 - sweep->tail_start] : 0;
}

/** Adds lambda (s_k - s_{k+1}) H to A_k. */
static void add_source(const struct sweep *sweep, int64_t k)
{
    struct mm_cpu_run *run = sweep->run;
    void *adjoint = mm_cpu_run_store(run)->adjoint;
    const double weight = sweep->lambda * (tail_sign(sweep, k) - tail_sign(sweep, k + 1));
    for (int n = 0; weight != 0.0 && n < run->window.levels; n++)
        if (run->precision == MM_SINGLE)
            ((float *)adjoint)[n] += (float)(weight * n);
        else
            ((double *)adjoint)[n] += weight * n;
}

/** One collision backwards: A_{k+1} becomes A_k, and the batch gets its share of the gradient. */
static void sweep_collision(struct sweep *sweep, const void *state)
{
    struct mm_cpu_run *run = sweep->run;
    struct mm_cpu_store *store = mm_cpu_run_store(run);
    const struct mm_band_sweep band = mm_cpu_run_sweep(run);
    double by_q, by_x;
    mm_cpu_run_step_back(run);
    store->loops->adjoint(&band, &run->qubits[run->batch], store->adjoint, state, &by_q, &by_x);
    run->derivatives[run->batch].by_q += by_q;
    run->derivatives[run->batch].by_x += by_x;
    add_source(sweep, run->collision);
}

/** A range no longer than a segment. */
static mm_status sweep_segment(struct sweep *sweep, int depth, int64_t index, struct mm_collision_range range,
                               struct mm_error *error)
{
    struct mm_cpu_run *run = sweep->run;
    mm_status status = recompute_segment(run, depth, index, range, error);
    if (status != MM_OK)
        return status;
    enter_segment(sweep);
    mm_cpu_run_seek(run, range.end, run->window);
    for (int64_t k = range.end - 1; k >= range.first; k--)
        sweep_collision(sweep, mm_cpu_run_store(run)->segment[k - range.first].data);
    return MM_OK;
}

/** Leaves checkpoints of the next depth over a range, in the windows of the first run; the run's state is used for
 * it. */
static mm_status refine(struct mm_cpu_run *run, int depth, int64_t index, struct mm_collision_range range,
                        struct mm_error *error)
{
    const struct mm_checkpoint *checkpoint = checkpoint_at(run, depth, index);
    mm_status status = mm_cpu_run_use(run, checkpoint->precision, error);
    if (status != MM_OK)
        return status;
    void *state = mm_cpu_run_store(run)->state;
    memset(state, 0, mm_cpu_run_matrix_bytes(run));
    restore(run, checkpoint, state, checkpoint->window);
    mm_cpu_run_seek(run, range.first, checkpoint->window);
    for (;;) {
        status = mm_cpu_checkpoint(run, depth + 1, range, error);
        if (status != MM_OK || run->collision == range.end)
            return status;
        status = mm_cpu_run_advance(run, error);
        if (status != MM_OK)
            return status;
    }
}

static mm_status sweep_range(struct sweep *sweep, int depth, int64_t index, struct mm_collision_range range,
                             struct mm_error *error);

/** The pieces of a range between its checkpoints, last one first. */
static mm_status sweep_pieces(struct sweep *sweep, int depth, struct mm_collision_range range,
                              struct mm_error *error)
{
    const int64_t spacing = spacing_in(range);
    for (int64_t index = (range.end - range.first - 1) / spacing; index >= 0; index--) {
        const int64_t first = range.first + index * spacing;
        const struct mm_collision_range piece = {first, first + spacing < range.end ? first + spacing : range.end};
        mm_status status = sweep_range(sweep, depth, index, piece, error);
        if (status != MM_OK)
            return status;
    }
    return MM_OK;
}

/** A range that lies between checkpoint `index` of a depth and the next one. */
static mm_status sweep_range(struct sweep *sweep, int depth, int64_t index, struct mm_collision_range range,
                             struct mm_error *error)
{
    if (range.end - range.first <= SEGMENT_COLLISIONS)
        return sweep_segment(sweep, depth, index, range, error);
    mm_status status = refine(sweep->run, depth, index, range, error);
    return status == MM_OK ? sweep_pieces(sweep, depth + 1, range, error) : status;
}

mm_status mm_cpu_adjoint_sweep(struct mm_cpu_run *run, struct mm_collision_range range, double lambda,
                               struct mm_channel_gradient *gradient, struct mm_error *error)
{
    const struct mm_problem *problem = run->problem;
    struct sweep sweep = {run, lambda, range.end, range.end - problem->tail, run->window, MM_DOUBLE};
    for (size_t b = 0; b < problem->batch_count; b++)
        run->derivatives[b] = (struct mm_channel_gradient){0.0, 0.0};
    add_source(&sweep, range.end);
    mm_status status = sweep_pieces(&sweep, 0, range, error);
    if (status != MM_OK)
        return status;
    for (size_t b = 0; b < problem->batch_count; b++)
        if (!problem->batches[b].fixed)
            *gradient++ = run->derivatives[b];
    return MM_OK;
}
