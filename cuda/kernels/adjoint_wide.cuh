/* adjoint_wide.cuh - the adjoint sweep in global memory: one block a chain. Same steps as
 * kernels/adjoint_tile.cuh. */
#ifndef MM_CUDA_KERNELS_ADJOINT_WIDE_CUH
#define MM_CUDA_KERNELS_ADJOINT_WIDE_CUH

#include "kernels/march_wide.cuh"
#include "kernels/stretch.cuh"

/** Column m of target = window of Phi^T(source), summed against the state.
 *  @param window  of the state after the collision */
__device__ static inline void mm_wide_adjoint_column(const struct mm_wide_tables &tables,
                                                     const struct mm_wide_matrix &adjoint, double *target,
                                                     struct mm_window window, struct mm_qubit qubit,
                                                     const struct mm_wide_matrix &state, int m,
                                                     struct mm_derivative_sums &share)
{
    const struct mm_column column = mm_wide_column(tables, m);
    const int bands = min(window.bands, window.levels - m);
    double own = mm_wide_element(adjoint, 0, m), below = mm_wide_element(adjoint, 1, m);
    const double left = mm_wide_element(adjoint, 1, m - 1);
    struct mm_adjoint_march march = mm_adjoint_start(column, left, mm_wide_element(adjoint, 0, m - 1));
    mm_adjoint_element(qubit, column, mm_wide_row(tables, m), own, left, below, &march);
    for (int d = 1; d <= bands; d++) {
        own = below;
        below = mm_wide_element(adjoint, d + 1, m);
        const struct mm_adjoint_values element = mm_adjoint_element(qubit, column, mm_wide_row(tables, m + d), own,
                                                                    mm_wide_element(adjoint, d + 1, m - 1),
                                                                    mm_wide_element(adjoint, d - 1, m + 1), &march);
        const double weight = (d == 1 ? 0.5 : 1.0) * mm_wide_element(state, d - 1, m);
        target[(size_t)(d - 1) * (size_t)adjoint.columns + (size_t)m] = element.value;
        share.by_q += element.by_q * weight;
        share.by_x += element.by_x * weight;
    }
}

/** A collision backwards of the columns of a thread.
 *  @param window  of the state after it
 *  @param source  dL/d(instability) (s_k - s_{k+1}): so many times H is added
 *  @param state   that the collision counts with, NULL if it does not count */
__device__ static inline void mm_wide_backward(const struct mm_wide_tables &tables,
                                               const struct mm_wide_matrix &adjoint, double *target,
                                               struct mm_window window, struct mm_qubit qubit, double source,
                                               const struct mm_wide_matrix *state, struct mm_derivative_sums &share)
{
    for (int m = (int)threadIdx.x; m < window.levels; m += (int)blockDim.x) {
        if (state != nullptr)
            mm_wide_adjoint_column(tables, adjoint, target, window, qubit, *state, m, share);
        else
            mm_wide_collide_column<MM_BACKWARD>(tables, adjoint, target, window, qubit, m);
        target[m] += source * m;
    }
}

/** mm_cuda_adjoint_sweep for the classes of global memory. */
__global__ void __launch_bounds__(MM_BLOCK_THREADS)
    mm_adjoint_sweep_wide(struct mm_chain_batch batch, const int *order, int64_t first, int64_t end)
{
    __shared__ double places[2][2 * MM_BLOCK_WARPS];
    __shared__ struct mm_sweep_course course;
    const struct mm_device_problem &problem = batch.problem;
    const struct mm_chain_view view = mm_view_chain(batch, order[blockIdx.x]);
    const struct mm_wide_tables tables = mm_wide_find_tables(batch, view);
    const double g = view.chain->g;
    struct mm_window after = view.windows[end - first];
    struct mm_wide_matrix adjoint = {view.adjoint, batch.columns, after};
    double *target = view.scratch;
    struct mm_derivative_sums share = {0.0, 0.0};
    if (view.chain->overflow)
        return;
    mm_wide_fill_cosines(tables, g, problem.levels);
    mm_wide_fill_sines(tables, g, problem.levels, after.levels);
    if (threadIdx.x == 0)
        mm_course_begin(batch, view, first, end, course);
    __syncthreads();
    int which = 0;
    for (int64_t k = end - 1; k >= first; k--) {
        const struct mm_window window = view.windows[k - first];
        mm_course_go_back(problem, view, k, course, which);
        __syncthreads();
        const struct mm_sweep_step &step = course.steps[which];
        const struct mm_wide_matrix state = {mm_kept_state(batch, view, step.kept + (int)(k - step.until)),
                                             batch.columns, window};
        mm_wide_backward(tables, adjoint, target, after, step.qubit,
                         *view.by_instability * mm_tail_source(problem.tail, view.tail_signs, k),
                         step.counts ? &state : nullptr, share);
        __syncthreads();
        if (window.levels != after.levels) {
            mm_wide_fill_sines(tables, g, problem.levels, window.levels);
            __syncthreads();
        }
        const double *finished = target;
        target = target == view.scratch ? view.adjoint : view.scratch;
        adjoint = {finished, batch.columns, {window.levels, min(window.bands, after.bands)}};
        mm_course_account(view, course, step, first, k, places[k & 1], share);
        after = window;
    }
    mm_wide_store(adjoint, view.adjoint, {batch.columns, batch.bands});
}

#endif
