/* adjoint_tile.cuh - the adjoint sweep of the tile classes: one block a chain, one barrier a collision.
 *
 * A is the tile. Where a collision counts, every element of R_k is read once from global memory, where the forward
 * run has left it: 8 bytes an element for 18 multiply-adds. The reads run some rows ahead of the march. All other
 * collisions take the twelve multiply-adds of a forward one, and no memory.
 */
#ifndef MM_CUDA_KERNELS_ADJOINT_TILE_CUH
#define MM_CUDA_KERNELS_ADJOINT_TILE_CUH

#include "kernels/march_tile.cuh"
#include "kernels/stretch.cuh"

/** A kept state and the part of a lane's columns that counts. */
struct mm_tile_state {
    const double *data;
    int columns;
    int bands; /* diagonals; none in columns outside the window */
};

/** Both elements of a lane on diagonal d, zero outside the window. */
__device__ __forceinline__ double2 mm_tile_weight(const struct mm_tile_state &state, int d)
{
    return d < state.bands ? *mm_tile_pair(state.data, state.columns, d) : make_double2(0.0, 0.0);
}

/** Rows by which reads run ahead. 8 diagonals get by with 128 registers a lane if it is a single one. */
template <int BANDS> __host__ __device__ constexpr int mm_tile_rows_ahead(void)
{
    return BANDS <= 8 ? 1 : 4;
}

/** Where the marches down a lane's two columns stand. */
template <int BANDS> struct mm_tile_adjoint_lane {
    struct mm_column column0, column1;
    struct mm_tile_rows rows;
    struct mm_tile_trail trail;
    struct mm_adjoint_march march0, march1;
    double2 ahead[mm_tile_rows_ahead<BANDS>()]; /* of the state: diagonal d at d modulo their number */
    struct mm_derivative_sums share;
};

/** Enters both columns with their first rows, and the state with as many diagonals as are read ahead. */
template <int BANDS>
__device__ __forceinline__ void
mm_tile_adjoint_start(const struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared,
                      const struct mm_tile_edge &edge, struct mm_qubit qubit, const struct mm_tile_state &state,
                      struct mm_tile_adjoint_lane<BANDS> &lane)
{
    const struct mm_tile_trail trail = lane.trail = mm_tile_start_trail(tile);
    const double left0 = mm_tile_before(edge, trail.next.y, 0);
    const double above0 = mm_tile_before(edge, trail.own.y, -1);
    MM_UNROLL
    for (int d = 0; d < mm_tile_rows_ahead<BANDS>(); d++)
        lane.ahead[d] = mm_tile_weight(state, d);
    lane.column0 = mm_tile_column(shared, 0);
    lane.column1 = mm_tile_column(shared, 1);
    lane.rows = mm_tile_start_rows(shared);
    lane.march0 = mm_adjoint_start(lane.column0, left0, above0);
    lane.march1 = mm_adjoint_start(lane.column1, trail.next.x, trail.own.x);
    mm_adjoint_element(qubit, lane.column0, lane.rows.row0, trail.own.x, left0, trail.next.x, &lane.march0);
    mm_adjoint_element(qubit, lane.column1, lane.rows.row1, trail.own.y, trail.next.x, trail.next.y, &lane.march1);
}

/** Row d of both columns: diagonal d-1 of the new adjoint, summed against the state. */
template <int BANDS>
__device__ __forceinline__ void
mm_tile_adjoint_row(struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared,
                    const struct mm_tile_edge &edge, struct mm_qubit qubit, const struct mm_tile_state &state,
                    int d, struct mm_tile_adjoint_lane<BANDS> &lane)
{
    constexpr int rows_ahead = mm_tile_rows_ahead<BANDS>();
    const int place = (d - 1) % rows_ahead;
    const double half = d == 1 ? 0.5 : 1.0; /* the diagonal: all else counts twice */
    const double weight0 = half * lane.ahead[place].x, weight1 = half * lane.ahead[place].y;
    if (d - 1 + rows_ahead < BANDS)
        lane.ahead[place] = mm_tile_weight(state, d - 1 + rows_ahead);
    mm_tile_follow(tile, d, lane.trail);
    const struct mm_tile_trail &trail = lane.trail;
    const struct mm_tile_neighbours other = mm_tile_find_neighbours<BANDS>(trail, edge, d);
    mm_tile_advance(shared, d, lane.rows);
    const struct mm_adjoint_values element0 = mm_adjoint_element(qubit, lane.column0, lane.rows.row0, trail.own.x,
                                                                 other.before, trail.above.y, &lane.march0);
    const struct mm_adjoint_values element1 = mm_adjoint_element(qubit, lane.column1, lane.rows.row1, trail.own.y,
                                                                 trail.next.x, other.after, &lane.march1);
    mm_tile_set(tile, d - 1, element0.value, element1.value);
    lane.share.by_q += element0.by_q * weight0;
    lane.share.by_q += element1.by_q * weight1;
    lane.share.by_x += element0.by_x * weight0;
    lane.share.by_x += element1.by_x * weight1;
}

/** The march from row DONE + 1 on, to where the band ends. Recursive as in kernels/propagate_tile.cuh. */
template <int DONE, int BANDS>
__device__ __forceinline__ void
mm_tile_adjoint_rows(struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared,
                     const struct mm_tile_edge &edge, struct mm_qubit qubit, int bands,
                     const struct mm_tile_state &state, struct mm_tile_adjoint_lane<BANDS> &lane)
{
    constexpr int row = DONE + MM_TILE_EXIT_STEP;
    MM_UNROLL
    for (int d = DONE + 1; d <= row; d++)
        mm_tile_adjoint_row(tile, shared, edge, qubit, state, d, lane);
    if constexpr (row < BANDS) {
        if (bands > row)
            return mm_tile_adjoint_rows<row>(tile, shared, edge, qubit, bands, state, lane);
    }
    mm_tile_end_march<row>(tile, bands);
}

/** One collision backwards of a lane's two columns, summed against the state. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_adjoint(struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared,
                                                const struct mm_tile_edge &edge, struct mm_qubit qubit, int bands,
                                                const struct mm_tile_state &state, struct mm_derivative_sums &share)
{
    struct mm_tile_adjoint_lane<BANDS> lane;
    lane.share = share;
    mm_tile_adjoint_start(tile, shared, edge, qubit, state, lane);
    mm_tile_adjoint_rows<0>(tile, shared, edge, qubit, bands, state, lane);
    share = lane.share;
}

/** State `place` of the segment, of the kept ones number `kept`, as far as it enters the derivatives: a diagonal
 * that is given up does not. */
__device__ __forceinline__ struct mm_tile_state
mm_tile_kept_state(const struct mm_chain_batch &batch, const struct mm_chain_view &view, int kept, int place)
{
    const struct mm_window window = view.windows[place];
    const int bands = min(window.bands, view.windows[place + 1].bands);
    return {mm_kept_state(batch, view, kept), batch.columns, mm_tile_first_column() < window.levels ? bands : 0};
}

/** Adds source H in a window of so many levels. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_add_source(struct mm_tile<BANDS> &tile, double source, int levels)
{
    const int column = mm_tile_first_column();
    if (source != 0.0 && column < levels)
        tile.a[0] += source * column;
    if (source != 0.0 && column + 1 < levels)
        tile.b[0] += source * (column + 1);
}

/** Moves from the window of state place + 1 to that of state `place`: the adjoint is clipped, and fewer levels cut
 * off the window's sines. A barrier must follow before the next march; contains one where the levels change. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_previous_window(struct mm_tile<BANDS> &tile,
                                                        const struct mm_tile_shared &shared,
                                                        const struct mm_chain_view &view, int place)
{
    const struct mm_window window = view.windows[place], after = view.windows[place + 1];
    if (window.bands < after.bands || window.levels < after.levels)
        mm_tile_clip(tile, window);
    if (window.levels != after.levels) {
        __syncthreads(); /* everybody has used the old sines */
        mm_tile_cut_sines(shared, window.levels, BANDS);
    }
}

/** mm_cuda_adjoint_sweep for a tile class; a block of columns / 2 threads a chain. What a march does not
 * need is read again after it: registers are for the tile. */
template <int BANDS>
__global__ void __launch_bounds__(MM_TILE_COLUMNS_MAX / 2, mm_tile_blocks<BANDS>())
    mm_adjoint_sweep_tile(struct mm_chain_batch batch, const int *order, int64_t first, int64_t end)
{
    MM_DYNAMIC_SHARED(double, memory);
    __shared__ struct mm_chain_view view;
    __shared__ struct mm_sweep_course course;
    const struct mm_device_problem &problem = batch.problem;
    const struct mm_tile_shared shared = mm_tile_divide(memory, batch.columns, BANDS);
    struct mm_tile<BANDS> tile;
    struct mm_derivative_sums share = {0.0, 0.0};
    if (threadIdx.x == 0)
        view = mm_view_chain(batch, order[blockIdx.x]);
    __syncthreads();
    if (view.chain->overflow)
        return;
    if (threadIdx.x == 0)
        mm_course_begin(batch, view, first, end, course);
    mm_tile_place_deep(tile, shared);
    mm_tile_prepare(shared, view.chain->g, problem.levels, view.windows[end - first].levels, BANDS);
    mm_tile_load(tile, view.adjoint, batch.columns);
    __syncthreads();
    int which = 0;
    for (int place = (int)(end - first) - 1; place >= 0; place--) {
        const int64_t k = first + place;
        const int parity = (int)(k & 1);
        const struct mm_tile_edge edge = mm_tile_find_edge(shared, parity, BANDS);
        const int bands = view.windows[place + 1].bands;
        mm_course_go_back(problem, view, k, course, which);
        mm_tile_publish(tile, edge, shared.warps, bands);
        __syncthreads();
        const struct mm_sweep_step &step = course.steps[which];
        const bool idle = mm_tile_is_idle(view.windows[place + 1].levels);
        if (step.counts && !idle)
            mm_tile_adjoint(tile, shared, edge, step.qubit, bands,
                            mm_tile_kept_state(batch, view, step.kept + (int)(k - step.until), place), share);
        else if (!idle)
            mm_tile_collide<MM_BACKWARD>(tile, shared, edge, mm_tile_find_columns<MM_BACKWARD>(shared, step.qubit),
                                         bands);
        mm_tile_previous_window(tile, shared, view, place);
        mm_tile_add_source(tile, *view.by_instability * mm_tail_source(problem.tail, view.tail_signs, k),
                           view.windows[place].levels);
        mm_course_account(view, course, course.steps[which], first, k, shared.spare + 2 * parity * shared.warps,
                          share);
    }
    mm_tile_store(tile, view.adjoint, batch.columns, {batch.columns, BANDS});
}

#endif
