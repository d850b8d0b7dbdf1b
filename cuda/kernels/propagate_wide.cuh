/* propagate_wide.cuh - the forward run in global memory: one block a chain. Same steps as
 * kernels/propagate_tile.cuh. */
#ifndef MM_CUDA_KERNELS_PROPAGATE_WIDE_CUH
#define MM_CUDA_KERNELS_PROPAGATE_WIDE_CUH

#include "kernels/keep.cuh"
#include "kernels/march_wide.cuh"
#include "kernels/window.cuh"

/** Shared memory of a block. */
struct mm_wide_shared {
    double rim[MM_WIDE_CHUNKS][2];
    double rows[MM_WIDE_CHUNKS][2];
    double energy[MM_WIDE_CHUNKS][2];
    double spare[2][MM_WIDE_CHUNKS][2];
};

/** A lane's part of the sum over one diagonal. */
__device__ static inline double mm_wide_diagonal(const struct mm_wide_matrix &state, int d, int m)
{
    return fabs(mm_wide_element(state, d, m)) + fabs(mm_wide_element(state, d, m + 1));
}

/** A lane's part of the sum over one row. */
__device__ static inline double mm_wide_lower_row(const struct mm_wide_matrix &state, int row, int m)
{
    return fabs(mm_wide_element(state, row - m, m)) + fabs(mm_wide_element(state, row - m - 1, m + 1));
}

/** All sums of a state, for all threads; contains a barrier. */
__device__ static inline struct mm_state_sums mm_wide_sums(const struct mm_wide_matrix &state,
                                                           struct mm_wide_shared &shared)
{
    const int columns = state.columns, bands = state.window.bands, levels = state.window.levels;
    mm_wide_publish(
        shared.rim, columns, [&](int m) { return mm_wide_diagonal(state, bands - 1, m); },
        [&](int m) { return mm_wide_diagonal(state, bands - 2, m); });
    mm_wide_publish(
        shared.rows, columns, [&](int m) { return mm_wide_lower_row(state, levels - 1, m); },
        [&](int m) { return mm_wide_lower_row(state, levels - 2, m); });
    mm_wide_publish(
        shared.energy, columns,
        [&](int m) { return m * mm_wide_element(state, 0, m) + (m + 1) * mm_wide_element(state, 0, m + 1); },
        [](int) { return 0.0; });
    __syncthreads();
    struct mm_state_sums sums;
    sums.outer = mm_wide_gather(shared.rim, columns, 0);
    sums.inner = mm_wide_gather(shared.rim, columns, 1);
    sums.top = mm_wide_gather(shared.rows, columns, 0);
    sums.below_top = mm_wide_gather(shared.rows, columns, 1);
    sums.energy = mm_wide_gather(shared.energy, columns, 0);
    return sums;
}

/** Sum over one diagonal, for all threads; contains a barrier. Places alternate as in
 * kernels/propagate_tile.cuh. */
__device__ static inline double mm_wide_diagonal_sum(const struct mm_wide_matrix &state,
                                                     struct mm_wide_shared &shared, int diagonal)
{
    double(*places)[2] = shared.spare[diagonal & 1];
    mm_wide_publish(
        places, state.columns, [&](int m) { return mm_wide_diagonal(state, diagonal, m); },
        [](int) { return 0.0; });
    __syncthreads();
    return mm_wide_gather(places, state.columns, 0);
}

/** One collision; contains barriers.
 *  @param window  of the new state, which target holds then */
__device__ static inline void mm_wide_forward(const struct mm_wide_tables &tables, struct mm_wide_matrix source,
                                              double *target, struct mm_window window, double g, int levels,
                                              struct mm_qubit qubit)
{
    if (window.levels != source.window.levels)
        mm_wide_fill_sines(tables, g, levels, window.levels);
    __syncthreads();
    source.window.bands = min(source.window.bands, window.bands);
    for (int m = (int)threadIdx.x; m < window.levels; m += (int)blockDim.x)
        mm_wide_collide_column<MM_FORWARD>(tables, source, target, window, qubit, m);
    __syncthreads();
}

/** mm_cuda_propagate for the classes of global memory. Two blocks a multiprocessor are what its registers allow;
 * asked for no more, the compiler does not spill to fit three. */
__global__ void __launch_bounds__(MM_BLOCK_THREADS, 2)
    mm_propagate_wide(struct mm_chain_batch batch, const int *order, int64_t first, int64_t end, bool keep)
{
    __shared__ struct mm_wide_shared shared;
    const struct mm_device_problem &problem = batch.problem;
    const struct mm_chain_view view = mm_view_chain(batch, order[blockIdx.x]);
    const struct mm_wide_tables tables = mm_wide_find_tables(batch, view);
    struct mm_device_chain chain = *view.chain; /* only thread 0 keeps the account in its copy */
    struct mm_wide_matrix state = {view.state, batch.columns, chain.window};
    double *target = view.scratch;
    int batch_number = 0;
    if (chain.overflow)
        return;
    struct mm_keeper keeper = mm_keep_from(batch, view, first, keep);
    mm_wide_fill_cosines(tables, chain.g, problem.levels);
    mm_wide_fill_sines(tables, chain.g, problem.levels, chain.window.levels);
    for (int64_t k = first; k < end; k++) {
        const struct mm_sums_wanted wanted = mm_wanted_sums(problem, state.window, k, view.energies != nullptr);
        batch_number = mm_protocol_batch(problem.protocol, k, batch_number);
        const struct mm_qubit qubit = view.qubits[batch_number];
        if (keep)
            mm_keep_window(view, k - first, state.window);
        if (k == keeper.next) {
            mm_wide_store(state, mm_kept_state(batch, view, keeper.kept), state.window);
            mm_keep_next(batch, view, k, keeper);
        }
        const struct mm_state_sums sums = mm_wide_sums(state, shared);
        const double reach = fabs(mm_collision_sin(chain.g, state.window.levels, problem.levels));
        const struct mm_window_choice choice =
            mm_choose_window(problem, chain.band_tolerance, k, state.window, reach, qubit, sums,
                             [&](int diagonal) { return mm_wide_diagonal_sum(state, shared, diagonal); });
        const bool overflow = choice.window.bands > batch.bands || choice.window.levels > batch.columns;
        if (threadIdx.x == 0)
            mm_enter_collision(problem, view, chain, first, k, wanted, sums, choice);
        if (overflow) {
            if (threadIdx.x == 0)
                mm_enter_overflow(view, chain, choice.window);
            return;
        }
        mm_wide_forward(tables, state, target, choice.window, chain.g, problem.levels, qubit);
        state = {target, batch.columns, choice.window};
        target = target == view.scratch ? view.state : view.scratch;
        if (threadIdx.x == 0)
            chain.truncation_population =
                fmax(chain.truncation_population, mm_wide_element(state, 0, problem.levels - 1));
    }
    const struct mm_state_sums sums = mm_wide_sums(state, shared);
    mm_wide_store(state, view.state, {batch.columns, batch.bands});
    if (threadIdx.x == 0)
        mm_enter_end(problem, view, chain, first, end, sums.energy, state.window);
    if (keep)
        mm_keep_window(view, end - first, state.window);
}

#endif
