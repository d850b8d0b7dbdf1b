/* march_tile.cuh - one collision of the tile classes, forward or backward: every lane marches down its columns. */
#ifndef MM_CUDA_KERNELS_MARCH_TILE_CUH
#define MM_CUDA_KERNELS_MARCH_TILE_CUH

#include "kernels/band_tile.cuh"
#include "kernels/direction.cuh"

/** A lane's part of the sums over the two outermost diagonals. */
struct mm_tile_rim {
    double outer;
    double inner;
};

/** The rim of a band of which a march has just ended after row ROW: few diagonals come into question. */
template <int ROW, int BANDS>
__device__ __forceinline__ struct mm_tile_rim mm_tile_find_rim(const struct mm_tile<BANDS> &tile, int bands)
{
    constexpr int least = ROW > MM_TILE_EXIT_STEP ? ROW - MM_TILE_EXIT_STEP - 1 : 0;
    struct mm_tile_rim rim = {0.0, 0.0};
    MM_UNROLL
    for (int d = least; d < ROW; d++) {
        const double2 pair = mm_tile_get(tile, d);
        const double sum = fabs(pair.x) + fabs(pair.y);
        if (d == bands - 1)
            rim.outer = sum;
        if (d == bands - 2)
            rim.inner = sum;
    }
    return rim;
}

/** Factors of a lane's two columns: the same for all collisions with the same qubits in windows of as many levels.
 */
struct mm_tile_columns {
    struct mm_forward_factors column0, column1;
};

template <enum mm_direction DIRECTION>
__device__ __forceinline__ struct mm_tile_columns mm_tile_find_columns(const struct mm_tile_shared &shared,
                                                                       struct mm_qubit qubit)
{
    return {mm_direction_column<DIRECTION>(qubit, mm_tile_column(shared, 0)),
            mm_direction_column<DIRECTION>(qubit, mm_tile_column(shared, 1))};
}

/** Where the marches down a lane's two columns stand. */
struct mm_tile_march_lane {
    struct mm_tile_rows rows;
    struct mm_tile_trail trail;
    struct mm_forward_march march0, march1;
};

/** Enters both columns with their first rows. */
template <enum mm_direction DIRECTION, int BANDS>
__device__ __forceinline__ void
mm_tile_march_start(const struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared,
                    const struct mm_tile_edge &edge, const struct mm_tile_columns &columns,
                    struct mm_tile_march_lane &lane)
{
    const struct mm_tile_trail trail = lane.trail = mm_tile_start_trail(tile);
    const double left0 = mm_tile_before(edge, trail.next.y, 0);
    const double above0 = mm_tile_before(edge, trail.own.y, -1);
    lane.rows = mm_tile_start_rows(shared);
    lane.march0 = mm_forward_start(&columns.column0, left0, above0);
    lane.march1 = mm_forward_start(&columns.column1, trail.next.x, trail.own.x);
    mm_forward_element(&columns.column0, mm_direction_row<DIRECTION>(lane.rows.row0), trail.own.x, left0,
                       trail.next.x, &lane.march0);
    mm_forward_element(&columns.column1, mm_direction_row<DIRECTION>(lane.rows.row1), trail.own.y, trail.next.x,
                       trail.next.y, &lane.march1);
}

/** Row d of both columns: diagonal d-1 of the new matrix. */
template <enum mm_direction DIRECTION, int BANDS>
__device__ __forceinline__ void
mm_tile_march_row(struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared, const struct mm_tile_edge &edge,
                  const struct mm_tile_columns &columns, int d, struct mm_tile_march_lane &lane)
{
    mm_tile_follow(tile, d, lane.trail);
    const struct mm_tile_trail &trail = lane.trail;
    const struct mm_tile_neighbours other = mm_tile_find_neighbours<BANDS>(trail, edge, d);
    mm_tile_advance(shared, d, lane.rows);
    const double a = mm_forward_element(&columns.column0, mm_direction_row<DIRECTION>(lane.rows.row0), trail.own.x,
                                        other.before, trail.above.y, &lane.march0);
    const double b = mm_forward_element(&columns.column1, mm_direction_row<DIRECTION>(lane.rows.row1), trail.own.y,
                                        trail.next.x, other.after, &lane.march1);
    mm_tile_set(tile, d - 1, a, b);
}

/** The march from row DONE + 1 on, to where the band ends; returns the rim of the new matrix. Recursive, because
 * each exit must know its row when the program is compiled. */
template <enum mm_direction DIRECTION, int DONE, int BANDS>
__device__ __forceinline__ struct mm_tile_rim
mm_tile_march_rows(struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared,
                   const struct mm_tile_edge &edge, const struct mm_tile_columns &columns, int bands,
                   struct mm_tile_march_lane &lane)
{
    constexpr int row = DONE + MM_TILE_EXIT_STEP;
    MM_UNROLL
    for (int d = DONE + 1; d <= row; d++)
        mm_tile_march_row<DIRECTION>(tile, shared, edge, columns, d, lane);
    if constexpr (row < BANDS) {
        if (bands > row)
            return mm_tile_march_rows<DIRECTION, row>(tile, shared, edge, columns, bands, lane);
    }
    mm_tile_end_march<row>(tile, bands);
    return mm_tile_find_rim<row>(tile, bands);
}

/** One collision of a lane's two columns: Phi, or backwards Phi^T. Returns the rim of the new matrix.
 *  @param columns  of the same direction */
template <enum mm_direction DIRECTION, int BANDS>
__device__ __forceinline__ struct mm_tile_rim
mm_tile_collide(struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared, const struct mm_tile_edge &edge,
                const struct mm_tile_columns &columns, int bands)
{
    struct mm_tile_march_lane lane;
    mm_tile_march_start<DIRECTION>(tile, shared, edge, columns, lane);
    return mm_tile_march_rows<DIRECTION, 0>(tile, shared, edge, columns, bands, lane);
}

#endif
