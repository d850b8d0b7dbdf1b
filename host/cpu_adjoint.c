/* cpu_adjoint.c - the exact gradient of the cpu backend: the adjoint swept backwards over recomputed states.
 *
 * With s_k = sign(E_k - E_{k-1}) in the tail and 0 outside, A_n = dL/dR_n = (dL/dW) dW/dR + lambda s_n H and
 *   A_k = Phi^T A_{k+1} + lambda (s_k - s_{k+1}) H,      dL/dw_j = sum over the batch of <Phi_j^T A_{k+1}, R_k>.
 * What is differentiated is the computed, windowed model R_{k+1} = P_{k+1} Phi R_k with the projection P on the
 * window, whence A_k = P_k Phi^T P_{k+1} A_{k+1}.
 *
 * The states R_k are needed in reverse. A thousand of them do not fit a cache, so the run leaves checkpoints from
 * which one segment after the other is recomputed into the second-level cache: one more forward run in all. Ranges
 * too long for MM_CHECKPOINT_FAN checkpoints recurse, at the cost of one more run a level; memory stays bounded.
 */
#include <stdlib.h>
#include <string.h>

#include "band_layout.h"
#include "cpu_run.h"
#include "memory.h"

enum {
    SEGMENT_BYTES = 768 * 1024, /* room for the states of one segment; about half of it is touched */
    SEGMENT_LEAST = 4,
    SEGMENT_MOST = 64,
};

/** The sweep in progress. */
struct sweep {
    struct mm_cpu_run *run;
    double lambda;
    int64_t collisions;
    int64_t tail_start; /* the last state before the tail */
};

/* ------------------------------------------------------------------------------------------- checkpoints */

static int64_t segment_length(const struct mm_cpu_run *run)
{
    int64_t length = SEGMENT_BYTES / (int64_t)(mm_cpu_run_matrix_size(run) * sizeof(double));
    if (length < SEGMENT_LEAST)
        return SEGMENT_LEAST;
    return length < SEGMENT_MOST ? length : SEGMENT_MOST;
}

int64_t mm_cpu_checkpoint_spacing(const struct mm_cpu_run *run, int64_t collisions)
{
    int64_t segment = segment_length(run);
    int64_t pieces = (collisions + MM_CHECKPOINT_FAN - 1) / MM_CHECKPOINT_FAN;
    return pieces > segment ? pieces : segment;
}

static struct mm_checkpoint *checkpoint_at(const struct mm_cpu_run *run, int depth, int64_t index)
{
    return &run->checkpoints[(int64_t)depth * MM_CHECKPOINT_FAN + index];
}

mm_status mm_cpu_checkpoint_save(struct mm_cpu_run *run, int depth, int64_t index, struct mm_error *error)
{
    struct mm_checkpoint *checkpoint = checkpoint_at(run, depth, index);
    size_t columns = (size_t)mm_band_columns(run->window.levels);
    size_t size = columns * (size_t)run->window.bands;
    if (size > checkpoint->capacity) {
        double *data = mm_allocate_doubles(size + size / 4);
        if (data == NULL)
            return mm_fail(error, MM_ERROR_MEMORY, "no memory for a checkpoint of %zu elements", size);
        free(checkpoint->data);
        checkpoint->data = data;
        checkpoint->capacity = size + size / 4;
    }
    checkpoint->window = run->window;
    mm_cpu_run_copy_window(run->state, run->stride, checkpoint->data, columns, run->window);
    return MM_OK;
}

/** Brings a checkpoint back into a matrix of the run, whose replay goes on from there.
 *  @param window  outside it the matrix is zero before */
static void restore(struct mm_cpu_run *run, int depth, int64_t index, int64_t collision, double *matrix,
                    struct mm_window window)
{
    const struct mm_checkpoint *checkpoint = checkpoint_at(run, depth, index);
    mm_cpu_run_seek(run, collision);
    mm_cpu_run_clip(run, matrix, window, checkpoint->window);
    mm_cpu_run_copy_window(checkpoint->data, (size_t)mm_band_columns(checkpoint->window.levels), matrix,
                           run->stride, checkpoint->window);
}

/* ------------------------------------------------------------------------------------------------ sweep */

/** Makes room for the states of a segment. */
static mm_status reserve_segment(struct mm_cpu_run *run, int64_t count, struct mm_error *error)
{
    if (run->segment_capacity >= count)
        return MM_OK;
    struct mm_segment_state *segment = realloc(run->segment, (size_t)count * sizeof *segment);
    if (segment == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a segment of %lld states", (long long)count);
    run->segment = segment;
    while (run->segment_capacity < count) {
        struct mm_segment_state *state = &run->segment[run->segment_capacity];
        state->window = (struct mm_window){0, 0};
        state->data = mm_allocate_doubles(mm_cpu_run_matrix_size(run));
        if (state->data == NULL)
            return mm_fail(error, MM_ERROR_MEMORY, "no memory for a segment of %lld states", (long long)count);
        run->segment_capacity++;
    }
    return MM_OK;
}

/** Recomputes the states first .. end-1 from the checkpoint at `first` into the segment. */
static mm_status recompute_segment(struct mm_cpu_run *run, int depth, int64_t index, int64_t first, int64_t end,
                                   struct mm_error *error)
{
    mm_status status = reserve_segment(run, end - first, error);
    if (status != MM_OK)
        return status;
    restore(run, depth, index, first, run->segment[0].data, run->segment[0].window);
    run->segment[0].window = run->window;
    for (int64_t k = first; k + 1 < end; k++) {
        struct mm_segment_state *state = &run->segment[k - first], *next = state + 1;
        status = mm_cpu_run_prepare(run, state->data, error);
        if (status != MM_OK)
            return status;
        mm_cpu_run_clip(run, next->data, next->window, run->window);
        next->window = run->window;
        mm_cpu_run_collide(run, state->data, next->data);
    }
    return MM_OK;
}

/** s_k of the energy step that ends in state k. */
static int tail_sign(const struct sweep *sweep, int64_t k)
{
    return k > sweep->tail_start && k <= sweep->collisions ? sweep->run->tail_signs[k - 1 - sweep->tail_start] : 0;
}

/** Adds lambda (s_k - s_{k+1}) H to A_k. */
static void add_source(const struct sweep *sweep, int64_t k)
{
    double weight = sweep->lambda * (tail_sign(sweep, k) - tail_sign(sweep, k + 1));
    for (int n = 0; weight != 0.0 && n < sweep->run->window.levels; n++)
        sweep->run->adjoint[n] += weight * n;
}

/** One collision backwards: A_{k+1} becomes A_k, and the batch gets its share of the gradient. */
static void sweep_collision(struct sweep *sweep, const double *state)
{
    struct mm_cpu_run *run = sweep->run;
    const struct mm_window after = run->window;
    const struct mm_band_sweep band = mm_cpu_run_sweep(run);
    double by_q, by_x;
    mm_cpu_run_previous_batch(run);
    run->loops->adjoint(&band, &run->qubits[run->batch], run->adjoint, state, &by_q, &by_x);
    run->derivatives[run->batch].by_q += by_q;
    run->derivatives[run->batch].by_x += by_x;
    mm_cpu_run_previous_window(run);
    mm_cpu_run_clip(run, run->adjoint, after, run->window);
    add_source(sweep, run->collision);
}

/** A range no longer than a segment. */
static mm_status sweep_segment(struct sweep *sweep, int depth, int64_t index, int64_t first, int64_t end,
                               struct mm_error *error)
{
    mm_status status = recompute_segment(sweep->run, depth, index, first, end, error);
    if (status != MM_OK)
        return status;
    mm_cpu_run_seek(sweep->run, end);
    for (int64_t k = end - 1; k >= first; k--)
        sweep_collision(sweep, sweep->run->segment[k - first].data);
    return MM_OK;
}

/** Leaves checkpoints of the next depth over a range; run->state is used for it. */
static mm_status refine(struct sweep *sweep, int depth, int64_t index, int64_t first, int64_t end, int64_t spacing,
                        struct mm_error *error)
{
    struct mm_cpu_run *run = sweep->run;
    memset(run->state, 0, mm_cpu_run_matrix_size(run) * sizeof(double));
    restore(run, depth, index, first, run->state, (struct mm_window){0, 0});
    for (int64_t k = first; k < end; k++) {
        mm_status status = MM_OK;
        if ((k - first) % spacing == 0)
            status = mm_cpu_checkpoint_save(run, depth + 1, (k - first) / spacing, error);
        if (status == MM_OK)
            status = mm_cpu_run_prepare(run, run->state, error);
        if (status != MM_OK)
            return status;
        mm_cpu_run_collide(run, run->state, run->state);
    }
    return MM_OK;
}

static mm_status sweep_range(struct sweep *sweep, int depth, int64_t index, int64_t first, int64_t end,
                             struct mm_error *error);

/** The pieces of a range between its checkpoints, last one first. */
static mm_status sweep_pieces(struct sweep *sweep, int depth, int64_t first, int64_t end, int64_t spacing,
                              struct mm_error *error)
{
    for (int64_t index = (end - first - 1) / spacing; index >= 0; index--) {
        int64_t piece = first + index * spacing;
        mm_status status =
            sweep_range(sweep, depth, index, piece, piece + spacing < end ? piece + spacing : end, error);
        if (status != MM_OK)
            return status;
    }
    return MM_OK;
}

/** The range first .. end-1, whose first state is checkpoint `index` of that depth. */
static mm_status sweep_range(struct sweep *sweep, int depth, int64_t index, int64_t first, int64_t end,
                             struct mm_error *error)
{
    if (end - first <= segment_length(sweep->run))
        return sweep_segment(sweep, depth, index, first, end, error);
    int64_t spacing = mm_cpu_checkpoint_spacing(sweep->run, end - first);
    mm_status status = refine(sweep, depth, index, first, end, spacing, error);
    if (status != MM_OK)
        return status;
    return sweep_pieces(sweep, depth + 1, first, end, spacing, error);
}

mm_status mm_cpu_adjoint_sweep(struct mm_cpu_run *run, int64_t first, double lambda,
                               struct mm_channel_gradient *gradient, struct mm_error *error)
{
    const struct mm_problem *problem = run->problem;
    const int64_t collisions = run->collision;
    struct sweep sweep = {run, lambda, collisions, collisions - problem->tail};
    for (size_t b = 0; b < problem->batch_count; b++)
        run->derivatives[b] = (struct mm_channel_gradient){0.0, 0.0};
    add_source(&sweep, collisions);
    run->replay = true;
    mm_status status = sweep_pieces(&sweep, 0, first, collisions, run->checkpoint_spacing, error);
    run->replay = false;
    if (status != MM_OK)
        return status;
    for (size_t b = 0; b < problem->batch_count; b++)
        if (!problem->batches[b].fixed)
            *gradient++ = run->derivatives[b];
    return MM_OK;
}
