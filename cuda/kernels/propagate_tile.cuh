/* propagate_tile.cuh - the forward run of the tile classes: one block a chain, one barrier a collision.
 *
 * The sums that decide about the window (kernels/window.cuh) are taken while the state is formed, added up over a
 * warp, left in shared memory beside the warp's edges, and reach all threads with the same barrier. All threads
 * then decide alike; thread 0 keeps the account.
 */
#ifndef MM_CUDA_KERNELS_PROPAGATE_TILE_CUH
#define MM_CUDA_KERNELS_PROPAGATE_TILE_CUH

#include "kernels/keep.cuh"
#include "kernels/march_tile.cuh"
#include "kernels/window.cuh"

/** |S_L| of the first level above the window: the share of the top row that may leave it. */
__device__ __forceinline__ double mm_tile_reach(const struct mm_tile_shared &shared, struct mm_window window)
{
    return fabs(shared.tables[MM_TILE_SINES + mm_tile_place(window.levels)]);
}

/** A lane's part of the sum over one diagonal. */
template <int BANDS>
__device__ __forceinline__ double mm_tile_diagonal(const struct mm_tile<BANDS> &tile, int diagonal)
{
    double sum = 0.0;
    MM_UNROLL
    for (int d = 0; d < BANDS; d++)
        if (d == diagonal) {
            const double2 pair = mm_tile_get(tile, d);
            sum = fabs(pair.x) + fabs(pair.y);
        }
    return sum;
}

/** Whether the window's top row, or the row below it, crosses columns of the warp. */
template <int BANDS> __device__ __forceinline__ bool mm_tile_has_top_rows(int levels)
{
    return !mm_tile_is_idle(levels) && MM_TILE_COLUMNS * (mm_warp() + 1) + BANDS > levels;
}

/** A lane's part of the sums over the window's top row and the row below it. The window ends with an even level,
 *  for else it would be the whole space: with t = L-1-m0, which is odd then, they cross the lane's columns at
 *  a[t], b[t-1] and at a[t-1], b[t-2]. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_top_rows(const struct mm_tile<BANDS> &tile, int levels, double &top,
                                                 double &below_top)
{
    const int t = levels - 1 - mm_tile_first_column();
    double top0 = 0.0, top1 = 0.0, below0 = 0.0, below1 = 0.0;
    MM_UNROLL
    for (int d = 0; d <= BANDS; d += 2)
        if (t == d + 1) {
            const double2 pair = mm_tile_get(tile, d);
            top0 = mm_tile_get(tile, d + 1).x;
            top1 = pair.y;
            below0 = pair.x;
            below1 = d > 0 ? mm_tile_get(tile, d > 0 ? d - 1 : 0).y : 0.0;
        }
    top = fabs(top0) + fabs(top1);
    below_top = fabs(below0) + fabs(below1);
}

/** Leaves a warp's sums; a barrier must follow. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_publish_sums(const struct mm_tile<BANDS> &tile, struct mm_tile_rim rim,
                                                     const struct mm_tile_shared &shared, int parity, int levels,
                                                     struct mm_sums_wanted wanted)
{
    double *place = shared.sums + (parity * shared.warps + mm_warp()) * MM_TILE_SUMS;
    if (wanted.top && mm_tile_has_top_rows<BANDS>(levels)) {
        double top, below_top;
        mm_tile_top_rows(tile, levels, top, below_top);
        mm_warp_publish_four(place, rim.outer, rim.inner, top, below_top);
    } else {
        mm_warp_publish_pair(place, rim.outer, rim.inner);
        if (wanted.top && mm_lane() < 2)
            place[2 + mm_lane()] = 0.0;
    }
    if (wanted.energy) {
        const int column = mm_tile_first_column();
        mm_warp_publish_pair(place + 4, column * tile.a[0] + (column + 1) * tile.b[0], 0.0);
    }
}

/** Adds up what the warps have left, in the order of mm_ordered_sum. */
__device__ __forceinline__ struct mm_state_sums mm_tile_gather_sums(const struct mm_tile_shared &shared, int parity,
                                                                    struct mm_sums_wanted wanted)
{
    const double2 *pairs = reinterpret_cast<const double2 *>(shared.sums + parity * shared.warps * MM_TILE_SUMS);
    struct mm_state_sums sums = {0.0, 0.0, 0.0, 0.0, 0.0};
    MM_ROLLED
    for (int warp = 0; warp < shared.warps; warp++, pairs += MM_TILE_SUMS / 2) {
        sums.outer += pairs[0].x;
        sums.inner += pairs[0].y;
        if (wanted.top) {
            sums.top += pairs[1].x;
            sums.below_top += pairs[1].y;
        }
        if (wanted.energy)
            sums.energy += pairs[2].x;
    }
    return sums;
}

/** Sum over one diagonal of the state, for all threads; contains a barrier. Calls in turn use two places, told
 *  apart by the parity of the diagonal, which falls by one from call to call. */
template <int BANDS>
__device__ __forceinline__ double mm_tile_diagonal_sum(const struct mm_tile<BANDS> &tile,
                                                       const struct mm_tile_shared &shared, int diagonal)
{
    double *place = shared.spare + (diagonal & 1) * 2 * shared.warps;
    mm_warp_publish_pair(place + 2 * mm_warp(), mm_tile_diagonal(tile, diagonal), 0.0);
    __syncthreads();
    return mm_ordered_sum(place, 2, shared.warps);
}

/** Moves to the window of the next state: what a narrower band gives up is cleared, here and in the edges; more
 *  levels open the window's sines. Contains a barrier where the window changes so. */
template <int BANDS>
__device__ __forceinline__ void
mm_tile_change_window(struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared,
                      const struct mm_tile_edge &edge, struct mm_window from, struct mm_window to)
{
    if (to.bands < from.bands) {
        mm_tile_clip(tile, {from.levels, to.bands});
        mm_tile_publish(tile, edge, shared.warps, from.bands);
    }
    if (to.levels != from.levels)
        mm_tile_cut_sines(shared, to.levels, BANDS);
    if (to.bands < from.bands || to.levels != from.levels)
        __syncthreads();
}

/** The lane that holds the population of level N-1 keeps the largest. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_watch_top_level(const struct mm_tile<BANDS> &tile, int levels,
                                                        double *largest)
{
    const int place = levels - 1 - mm_tile_first_column();
    if (place == 0)
        *largest = fmax(*largest, tile.a[0]);
    if (place == 1)
        *largest = fmax(*largest, tile.b[0]);
}

/** What a block knows of its chain, in shared memory: registers are for the tile. Thread 0 writes it, but for the
 *  population of the top level. */
struct mm_tile_account {
    struct mm_chain_view view;
    struct mm_device_chain chain;
};

/** Sets up the account, the tables and the tile; contains barriers. @return whether there is anything to do */
template <int BANDS>
__device__ __forceinline__ bool mm_tile_enter(const struct mm_chain_batch &batch, int row,
                                              const struct mm_tile_shared &shared, struct mm_tile_account &account,
                                              struct mm_tile<BANDS> &tile)
{
    const int levels = batch.problem.levels;
    if (threadIdx.x == 0) {
        account.view = mm_view_chain(batch, row);
        account.chain = *account.view.chain;
    }
    __syncthreads();
    if (account.chain.overflow)
        return false;
    mm_tile_place_deep(tile, shared);
    mm_tile_prepare(shared, account.chain.g, levels, account.chain.window.levels, BANDS);
    mm_tile_load(tile, account.view.state, batch.columns);
    __syncthreads();
    return true;
}

/** Stores the final state and closes the account; contains a barrier. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_leave(const struct mm_tile<BANDS> &tile, const struct mm_chain_batch &batch,
                                              const struct mm_tile_shared &shared, struct mm_tile_account &account,
                                              int64_t first, int64_t end, struct mm_window window)
{
    const int parity = (int)(end & 1);
    const struct mm_sums_wanted energy = {false, true};
    mm_tile_publish_sums(tile, {0.0, 0.0}, shared, parity, 0, energy);
    mm_tile_store(tile, account.view.state, batch.columns, {batch.columns, BANDS});
    __syncthreads();
    if (threadIdx.x == 0)
        mm_enter_end(batch.problem, account.view, account.chain, first, end,
                     mm_tile_gather_sums(shared, parity, energy).energy, window);
}

/** Whether the factors of a lane's columns stay in registers from collision to collision: the largest classes have
 * none to spare. */
template <int BANDS> __host__ __device__ constexpr bool mm_tile_keeps_columns(void)
{
    return BANDS <= 48;
}

/** mm_cuda_propagate for a tile class; a block of columns / 2 threads a chain. */
template <int BANDS>
__global__ void __launch_bounds__(MM_TILE_COLUMNS_MAX / 2, mm_tile_blocks<BANDS>())
    mm_propagate_tile(struct mm_chain_batch batch, const int *order, int64_t first, int64_t end, bool keep)
{
    MM_DYNAMIC_SHARED(double, memory);
    __shared__ struct mm_tile_account account;
    const struct mm_device_problem &problem = batch.problem;
    const struct mm_tile_shared shared = mm_tile_divide(memory, batch.columns, BANDS);
    struct mm_tile<BANDS> tile;
    if (!mm_tile_enter(batch, order[blockIdx.x], shared, account, tile))
        return;
    struct mm_window window = account.view.chain->window;
    struct mm_tile_rim rim = {mm_tile_diagonal(tile, window.bands - 1), mm_tile_diagonal(tile, window.bands - 2)};
    struct mm_keeper keeper = mm_keep_from(batch, account.view, first, keep);
    struct mm_tile_columns columns;
    int columns_levels = 0; /* the window's that the columns are for; 0: they are for other qubits */
    int batch_number = 0;
    int64_t batch_end = first; /* the collision after the last one with the same qubits, if it is known */
    for (int64_t k = first; k < end; k++) {
        const int parity = (int)(k & 1);
        const struct mm_tile_edge edge = mm_tile_find_edge(shared, parity, BANDS);
        const struct mm_sums_wanted wanted = mm_wanted_sums(problem, window, k, account.view.energies != nullptr);
        if (k >= batch_end) {
            batch_number = mm_protocol_batch(problem.protocol, k, batch_number);
            batch_end = mm_protocol_end(problem.protocol, batch_number);
            columns_levels = 0;
        }
        const struct mm_qubit qubit = account.view.qubits[batch_number];
        if (keep)
            mm_keep_window(account.view, k - first, window);
        if (k == keeper.next) {
            mm_tile_store(tile, mm_kept_state(batch, account.view, keeper.kept), batch.columns, window);
            mm_keep_next(batch, account.view, k, keeper);
        }
        mm_tile_publish_sums(tile, rim, shared, parity, window.levels, wanted);
        mm_tile_publish(tile, edge, shared.warps, window.bands);
        __syncthreads();
        const struct mm_state_sums sums = mm_tile_gather_sums(shared, parity, wanted);
        const struct mm_window_choice choice =
            mm_choose_window(problem, account.chain.band_tolerance, k, window, mm_tile_reach(shared, window), qubit,
                             sums, [&](int diagonal) { return mm_tile_diagonal_sum(tile, shared, diagonal); });
        const bool overflow = choice.window.bands > BANDS || choice.window.levels > batch.columns;
        if (threadIdx.x == 0)
            mm_enter_collision(problem, account.view, account.chain, first, k, wanted, sums, choice);
        if (overflow) {
            if (threadIdx.x == 0)
                mm_enter_overflow(account.view, account.chain, choice.window);
            return;
        }
        mm_tile_change_window(tile, shared, edge, window, choice.window);
        window = choice.window;
        if (columns_levels != window.levels || !mm_tile_keeps_columns<BANDS>())
            columns = mm_tile_find_columns<MM_FORWARD>(shared, qubit);
        columns_levels = window.levels;
        if (!mm_tile_is_idle(window.levels))
            rim = mm_tile_collide<MM_FORWARD>(tile, shared, edge, columns, window.bands);
        mm_tile_watch_top_level(tile, problem.levels, &account.chain.truncation_population);
    }
    mm_tile_leave(tile, batch, shared, account, first, end, window);
    if (keep)
        mm_keep_window(account.view, end - first, window);
}

#endif
