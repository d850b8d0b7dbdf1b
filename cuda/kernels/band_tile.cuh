/* band_tile.cuh - a banded matrix carried by a block: two columns a lane, one register each a diagonal.
 *
 * Lane l of warp w holds the columns m0 = 64 w + 2 l and m1 = m0 + 1 as a[d] = X(m0+d, m0) and b[d] = X(m1+d, m1).
 * Registers cannot be indexed at run time: the march of model/collision.h is unrolled over d, and left where the
 * window's band ends. Classes of more than MM_TILE_FLAT_BANDS diagonals have the rest of them in shared memory,
 * where a lane touches its own elements only: these are deep. Of the neighbours that row d of the march needs,
 *   column m0:  left X(m0+d, m0-1) = b[d+1] of the lane before,   right X(m0+d, m1)   = its own b[d-1],
 *   column m1:  left X(m1+d, m0)   = its own a[d+1],              right X(m1+d, m1+1) = a[d-1] of the lane after.
 * The lane before and the lane after are reached by one shuffle each; at the ends of a warp their values come from
 * shared memory, where every warp leaves its first and its last column once a collision.
 *
 * Counted for the 64 elements of a warp at one d, in cycles of a multiprocessor with 64 FP64 lanes and 32 shared
 * memory lanes of 4 bytes: 24 multiply-adds of 32 lanes are 12 cycles of the FP64 pipe; two shuffles and two table
 * entries of 8 bytes are 4 + 4, and the edges 2 cycles of the shared memory pipe; a deep diagonal adds 8 there.
 * With one column a lane the shuffles and table entries would be twice as many, and the limit. The adjoint takes 36
 * for 24 and is further from it.
 *
 * Counted in the code for sm_90 of the class of 24 diagonals, in instructions of a warp, of which a quarter of a
 * multiprocessor issues one a cycle and FP64 ones one in two: two rows take 78 forward and 87 backward, 48 of them
 * FP64, and 142 with derivatives, 68 of them FP64. Beside the march a collision takes about 450, for which the
 * warps of other chains leave room while they keep the FP64 pipe busy. It is kept that low by what is looked up
 * only where it changes: qubits, factors of columns, states to keep, and what an adjoint sweep does.
 *
 * The exit is offered every MM_TILE_EXIT_STEP diagonals, not at each: between two exits the compiler may overlap
 * the latencies of shuffles, tables and arithmetic, for half a diagonal of zeros that a march passes in vain on
 * average.
 *
 * C_n and S_n lie in shared memory apart for even and odd n, so that a warp reads neighbouring words.
 */
#ifndef MM_CUDA_KERNELS_BAND_TILE_CUH
#define MM_CUDA_KERNELS_BAND_TILE_CUH

#include "kernels/chain_batch.cuh"
#include "device/check.cuh"
#include "kernels/reduce.cuh"

enum {
    MM_TILE_EXIT_STEP = 2,
    MM_TILE_PUBLISH_STEP = 4, /* diagonals from one look at where the band ends to the next */
    MM_TILE_SUMS = 6,         /* doubles that a warp publishes with its edges, in pairs */
};

/** Threads of a block. */
static inline int mm_tile_threads(const struct mm_chain_batch &batch)
{
    return batch.columns / 2;
}

/** Blocks of the largest size that a multiprocessor must hold. 8 diagonals get by with 128 registers a lane, which
 *  leaves room for twice as many warps to cover the latencies of one another; 16 would spill. */
template <int BANDS> __host__ __device__ constexpr int mm_tile_blocks(void)
{
    return BANDS <= 8 ? 2 : 1;
}

/* ------------------------------------------------------------------------------------------- shared memory */

/** Shared memory of a block, divided. Two collisions in turn use two parts of edges and sums, so that one barrier a
 *  collision is enough: who writes a part has passed a barrier after everybody read it. */
struct mm_tile_shared {
    double *tables; /* [cosine, sine, window's sine][even n, odd n][MM_TILE_TABLE]: C_n, S_n, and S_n cut off at the
                       window's levels */
    double *edges;  /* [2][first columns, last columns][warps + 1][bands + 2] */
    double *sums;   /* [2][warps][MM_TILE_SUMS] */
    double *spare;  /* [2][warps][2]: sums taken between the barriers of collisions */
    double *deep;   /* [bands - mm_tile_register_bands()][columns] */
    int warps;
};

enum {
    /* Entries of a table for even or odd n: rows of the march run to columns + bands. The same for all classes, so
     * that distances between tables are known when the program is compiled: a lane needs one address for all. */
    MM_TILE_TABLE = (MM_TILE_COLUMNS_MAX + MM_TILE_BANDS_MAX) / 2 + 1,
    MM_TILE_SINES = 2 * MM_TILE_TABLE, /* where the sines begin */
    MM_TILE_WINDOW_SINES = 2 * MM_TILE_SINES,
    MM_TILE_TABLES = 3 * MM_TILE_SINES,
};

__host__ __device__ static inline int mm_tile_edges(int warps, int bands)
{
    return 2 * (warps + 1) * (bands + 2);
}

/** Bytes of dynamic shared memory of a block: at most 48 kB, which need no asking for. */
static inline size_t mm_tile_shared_bytes(const struct mm_chain_batch &batch)
{
    const int warps = batch.columns / MM_TILE_COLUMNS;
    const int deep = (batch.bands - mm_tile_register_bands(batch.bands)) * batch.columns;
    const int doubles =
        deep + MM_TILE_TABLES + 2 * mm_tile_edges(warps, batch.bands) + 2 * warps * MM_TILE_SUMS + 4 * warps;
    return (size_t)doubles * sizeof(double);
}

__device__ static inline struct mm_tile_shared mm_tile_divide(double *memory, int columns, int bands)
{
    struct mm_tile_shared shared;
    shared.warps = columns / MM_TILE_COLUMNS;
    shared.deep = memory; /* first, for accesses of 16 bytes */
    shared.tables = memory + (bands - mm_tile_register_bands(bands)) * columns;
    shared.edges = shared.tables + MM_TILE_TABLES;
    shared.sums = shared.edges + 2 * mm_tile_edges(shared.warps, bands);
    shared.spare = shared.sums + 2 * shared.warps * MM_TILE_SUMS;
    return shared;
}

/** Place of n in a table. */
__device__ static inline int mm_tile_place(int n)
{
    return (n & 1) * MM_TILE_TABLE + (n >> 1);
}

/** Numbers n that the tables are filled for. */
__device__ static inline int mm_tile_rows_end(const struct mm_tile_shared &shared, int bands)
{
    return MM_TILE_COLUMNS * shared.warps + bands + 2;
}

/** Cuts the window's sines off at its levels: nothing leaves it upwards. A barrier must follow. */
__device__ static inline void mm_tile_cut_sines(const struct mm_tile_shared &shared, int live, int bands)
{
    for (int n = (int)threadIdx.x; n < mm_tile_rows_end(shared, bands); n += (int)blockDim.x)
        shared.tables[MM_TILE_WINDOW_SINES + mm_tile_place(n)] =
            n < live ? shared.tables[MM_TILE_SINES + mm_tile_place(n)] : 0.0;
}

/** Fills the tables and clears the edges: what no warp writes stays zero. A barrier must follow. */
__device__ static inline void mm_tile_prepare(const struct mm_tile_shared &shared, double g, int levels, int live,
                                              int bands)
{
    for (int n = (int)threadIdx.x; n < mm_tile_rows_end(shared, bands); n += (int)blockDim.x) {
        shared.tables[mm_tile_place(n)] = n <= levels ? mm_collision_cos(g, n, levels) : 0.0;
        shared.tables[MM_TILE_SINES + mm_tile_place(n)] = n <= levels ? mm_collision_sin(g, n, levels) : 0.0;
    }
    for (int i = (int)threadIdx.x; i < 2 * mm_tile_edges(shared.warps, bands); i += (int)blockDim.x)
        shared.edges[i] = 0.0;
    mm_tile_cut_sines(shared, live, bands); /* each thread the entries that it has filled */
}

/* ------------------------------------------------------------------------------------------------ registers */

/** The matrix as a lane holds it; zero outside the window. */
template <int BANDS> struct mm_tile {
    double a[mm_tile_register_bands(BANDS)];
    double b[mm_tile_register_bands(BANDS)];
    double2 *deep; /* a[d], b[d] of the deep diagonals: the lane's pair of every row of shared.deep */
};

template <int BANDS>
__device__ __forceinline__ void mm_tile_place_deep(struct mm_tile<BANDS> &tile, const struct mm_tile_shared &shared)
{
    tile.deep = reinterpret_cast<double2 *>(shared.deep) + threadIdx.x;
}

/** a[d] and b[d], zero beyond the class; d is known when the program is compiled. */
template <int BANDS> __device__ __forceinline__ double2 mm_tile_get(const struct mm_tile<BANDS> &tile, int d)
{
    constexpr int registers = mm_tile_register_bands(BANDS);
    if (d < registers)
        return make_double2(tile.a[d < registers ? d : 0], tile.b[d < registers ? d : 0]);
    if (d < BANDS)
        return tile.deep[(d - registers) * (int)blockDim.x];
    return make_double2(0.0, 0.0);
}

template <int BANDS>
__device__ __forceinline__ void mm_tile_set(struct mm_tile<BANDS> &tile, int d, double a, double b)
{
    constexpr int registers = mm_tile_register_bands(BANDS);
    if (d < registers) {
        tile.a[d < registers ? d : 0] = a;
        tile.b[d < registers ? d : 0] = b;
    } else {
        tile.deep[(d - registers) * (int)blockDim.x] = make_double2(a, b);
    }
}

/** m0 of the lane. */
__device__ static inline int mm_tile_first_column(void)
{
    return 2 * (int)threadIdx.x;
}

/** Whether no column of the warp is below so many levels: what it holds is zero then, before a collision within
 * these levels and after it. */
__device__ static inline bool mm_tile_is_idle(int levels)
{
    return MM_TILE_COLUMNS * mm_warp() >= levels;
}

/** Two neighbouring elements of a matrix in memory, as one access of 16 bytes. */
__device__ static inline double2 *mm_tile_pair(double *matrix, int columns, int d)
{
    return reinterpret_cast<double2 *>(matrix + (size_t)d * (size_t)columns) + threadIdx.x;
}

__device__ static inline const double2 *mm_tile_pair(const double *matrix, int columns, int d)
{
    return reinterpret_cast<const double2 *>(matrix + (size_t)d * (size_t)columns) + threadIdx.x;
}

template <int BANDS>
__device__ __forceinline__ void mm_tile_load(struct mm_tile<BANDS> &tile, const double *matrix, int columns)
{
    MM_UNROLL
    for (int d = 0; d < BANDS; d++) {
        const double2 pair = *mm_tile_pair(matrix, columns, d);
        mm_tile_set(tile, d, pair.x, pair.y);
    }
}

/** Stores the diagonals of a window in its columns, and nothing outside: the whole tile with a full window. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_store(const struct mm_tile<BANDS> &tile, double *matrix, int columns,
                                              struct mm_window window)
{
    if (mm_tile_first_column() >= window.levels)
        return;
    MM_UNROLL
    for (int d = 0; d < BANDS; d++)
        if (d < window.bands)
            *mm_tile_pair(matrix, columns, d) = mm_tile_get(tile, d);
}

/** Clears what lies outside a window. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_clip(struct mm_tile<BANDS> &tile, struct mm_window window)
{
    const int column = mm_tile_first_column();
    MM_UNROLL
    for (int d = 0; d < BANDS; d++) {
        const double2 pair = mm_tile_get(tile, d);
        const bool inside = d < window.bands;
        mm_tile_set(tile, d, inside && column + d < window.levels ? pair.x : 0.0,
                    inside && column + 1 + d < window.levels ? pair.y : 0.0);
    }
}

/** Clears the diagonals beyond the band that a march ending after row ROW has filled. */
template <int ROW, int BANDS>
__device__ __forceinline__ void mm_tile_end_march(struct mm_tile<BANDS> &tile, int bands)
{
    MM_UNROLL
    for (int d = ROW - MM_TILE_EXIT_STEP + 1; d < ROW; d++)
        if (d >= bands)
            mm_tile_set(tile, d, 0.0, 0.0);
}

/** What a march has at hand: the lane's own elements before row d is done. */
struct mm_tile_trail {
    double2 above; /* a[d-1], b[d-1] */
    double2 own;   /* a[d], b[d] */
    double2 next;  /* a[d+1], b[d+1] */
};

/** At row 0, which has nothing above. */
template <int BANDS>
__device__ __forceinline__ struct mm_tile_trail mm_tile_start_trail(const struct mm_tile<BANDS> &tile)
{
    return {{0.0, 0.0}, mm_tile_get(tile, 0), mm_tile_get(tile, 1)};
}

/** One row down, to row d. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_follow(const struct mm_tile<BANDS> &tile, int d,
                                               struct mm_tile_trail &trail)
{
    trail.above = trail.own;
    trail.own = trail.next;
    trail.next = mm_tile_get(tile, d + 1);
}

/* ------------------------------------------------------------------------------------------- neighbours */

/** Where the outermost lanes of a warp leave their column, and find the one beyond the edge. */
struct mm_tile_edge {
    double *own;          /* lane 0: its column m0, lane 31: its column m1; diagonal after diagonal */
    const double *beyond; /* at row d of the march, [d] is what lane 0 needs for b[d+1], lane 31 for a[d-1] */
    bool first;           /* lane 0 */
    bool last;            /* lane 31 */
};

__device__ __forceinline__ struct mm_tile_edge mm_tile_find_edge(const struct mm_tile_shared &shared, int parity,
                                                                 int bands)
{
    const int row = bands + 2, rows = shared.warps + 1, warp = mm_warp();
    double *firsts = shared.edges + parity * 2 * rows * row; /* of warp w at row w, zeros after the last warp */
    double *lasts = firsts + rows * row;                     /* of warp w at row w+1, zeros before the first warp */
    struct mm_tile_edge edge;
    edge.first = mm_lane() == 0;
    edge.last = mm_lane() == 31;
    edge.own = edge.first ? firsts + warp * row : lasts + (warp + 1) * row;
    edge.beyond = edge.first ? lasts + warp * row + 1 : firsts + (warp + 1) * row - 1;
    return edge;
}

/** Leaves one of the lane's columns in shared memory, a where it is the first. */
template <bool FIRST, int BANDS>
__device__ __forceinline__ void mm_tile_publish_column(const struct mm_tile<BANDS> &tile, double *own, int bands)
{
    MM_UNROLL
    for (int d = 0; d < BANDS; d++) {
        const double2 pair = mm_tile_get(tile, d);
        own[d] = FIRST ? pair.x : pair.y;
        if (d % MM_TILE_PUBLISH_STEP == 0 && d > bands)
            return;
    }
}

/** Leaves the outermost columns of each warp for its neighbours, where it has some; a barrier must follow. The
 * march may be that of a band grown by one diagonal: that one is published too, as zeros. */
template <int BANDS>
__device__ __forceinline__ void mm_tile_publish(const struct mm_tile<BANDS> &tile, const struct mm_tile_edge &edge,
                                                int warps, int bands)
{
    if (mm_warp() > 0 && edge.first)
        mm_tile_publish_column<true>(tile, edge.own, bands);
    if (mm_warp() + 1 < warps && edge.last)
        mm_tile_publish_column<false>(tile, edge.own, bands);
}

/** b[d+1] of the lane before, which is handed in by every lane as its own. */
__device__ __forceinline__ double mm_tile_before(const struct mm_tile_edge &edge, double own, int d)
{
    const double value = __shfl_up_sync((unsigned)MM_ALL_LANES, own, 1);
    return edge.first ? edge.beyond[d] : value;
}

/** What row d of the march takes from other lanes. */
struct mm_tile_neighbours {
    double before; /* b[d+1] of the lane before */
    double after;  /* a[d-1] of the lane after */
};

/** Both neighbours of row d >= 1; the two ends of the warp read shared memory with one instruction. */
template <int BANDS>
__device__ __forceinline__ struct mm_tile_neighbours mm_tile_find_neighbours(const struct mm_tile_trail &trail,
                                                                             const struct mm_tile_edge &edge, int d)
{
    struct mm_tile_neighbours found = {0.0, 0.0};
    double beyond = 0.0;
    if (edge.first || edge.last)
        beyond = edge.beyond[d];
    found.after = __shfl_down_sync((unsigned)MM_ALL_LANES, trail.above.x, 1);
    found.after = edge.last ? beyond : found.after;
    if (d + 1 < BANDS) {
        found.before = __shfl_up_sync((unsigned)MM_ALL_LANES, trail.next.y, 1);
        found.before = edge.first ? beyond : found.before;
    }
    return found;
}

/* ----------------------------------------------------------------------------------------------- coefficients */

/** C_n and the window's S_n for n = m0 + offset. */
__device__ __forceinline__ double mm_tile_cosine(const struct mm_tile_shared &shared, int offset)
{
    return shared.tables[mm_tile_place(offset) + (int)threadIdx.x];
}

__device__ __forceinline__ double mm_tile_sine(const struct mm_tile_shared &shared, int offset)
{
    return shared.tables[MM_TILE_WINDOW_SINES + mm_tile_place(offset) + (int)threadIdx.x];
}

/** C and S at m and m+1, for the column m0 + offset. */
__device__ __forceinline__ struct mm_column mm_tile_column(const struct mm_tile_shared &shared, int offset)
{
    struct mm_column column;
    column.cosine = mm_tile_cosine(shared, offset);
    column.cosine_next = mm_tile_cosine(shared, offset + 1);
    column.sine = mm_tile_sine(shared, offset);
    column.sine_next = mm_tile_sine(shared, offset + 1);
    return column;
}

/** Factors of the rows that the march has reached in both columns: row1 lies one below row0. */
struct mm_tile_rows {
    struct mm_row row0;
    struct mm_row row1;
};

/** Rows m0 and m1. */
__device__ __forceinline__ struct mm_tile_rows mm_tile_start_rows(const struct mm_tile_shared &shared)
{
    struct mm_tile_rows rows;
    rows.row0.cosine = mm_tile_cosine(shared, 0);
    rows.row0.cosine_next = rows.row1.cosine = mm_tile_cosine(shared, 1);
    rows.row1.cosine_next = mm_tile_cosine(shared, 2);
    rows.row0.sine = mm_tile_sine(shared, 0);
    rows.row1.sine = mm_tile_sine(shared, 1);
    return rows;
}

/** One row down, to m0 + d and m1 + d. */
__device__ __forceinline__ void mm_tile_advance(const struct mm_tile_shared &shared, int d,
                                                struct mm_tile_rows &rows)
{
    rows.row0 = rows.row1;
    rows.row1.cosine = rows.row1.cosine_next;
    rows.row1.cosine_next = mm_tile_cosine(shared, d + 2);
    rows.row1.sine = mm_tile_sine(shared, d + 1);
}

#endif
