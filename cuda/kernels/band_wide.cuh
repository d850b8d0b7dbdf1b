/* band_wide.cuh - a banded matrix in global memory, for windows that a block cannot hold.
 *
 * Two matrices in turn are source and target of a collision. Threads march down columns m, m + 256, ..;
 * neighbouring threads read neighbouring elements, four reads and a write an element, of which the caches serve all
 * but about one of each. Reading checks the window, so that what lies outside it in memory does not matter.
 */
#ifndef MM_CUDA_KERNELS_BAND_WIDE_CUH
#define MM_CUDA_KERNELS_BAND_WIDE_CUH

#include "kernels/chain_batch.cuh"
#include "kernels/reduce.cuh"

enum { MM_WIDE_CHUNKS = 4096 / MM_TILE_COLUMNS /* of MM_TILE_COLUMNS columns: MM_LEVELS_MAX */ };

/** C_n and S_n of a chain. */
struct mm_wide_tables {
    double *cosine; /* [count] */
    double *sine;   /* [count], cut off at the window's levels */
    int count;      /* mm_batch_table() */
};

__device__ static inline struct mm_wide_tables mm_wide_find_tables(const struct mm_chain_batch &batch,
                                                                   const struct mm_chain_view &view)
{
    double *memory = view.scratch + mm_batch_matrix(batch);
    return {memory, memory + mm_batch_table(batch), (int)mm_batch_table(batch)};
}

/** A barrier must follow. */
__device__ static inline void mm_wide_fill_cosines(const struct mm_wide_tables &tables, double g, int levels)
{
    for (int n = (int)threadIdx.x; n < tables.count; n += (int)blockDim.x)
        tables.cosine[n] = n <= levels ? mm_collision_cos(g, n, levels) : 0.0;
}

/** A barrier must follow. */
__device__ static inline void mm_wide_fill_sines(const struct mm_wide_tables &tables, double g, int levels,
                                                 int live)
{
    for (int n = (int)threadIdx.x; n < tables.count; n += (int)blockDim.x)
        tables.sine[n] = n < live ? mm_collision_sin(g, n, levels) : 0.0;
}

__device__ static inline struct mm_column mm_wide_column(const struct mm_wide_tables &tables, int m)
{
    return {tables.cosine[m], tables.cosine[m + 1], tables.sine[m], tables.sine[m + 1]};
}

__device__ static inline struct mm_row mm_wide_row(const struct mm_wide_tables &tables, int n)
{
    return {tables.cosine[n], tables.cosine[n + 1], tables.sine[n]};
}

/** A matrix and the part of it that counts. */
struct mm_wide_matrix {
    const double *data;
    int columns;
    struct mm_window window;
};

/** Element (m + d, m), zero outside the window. */
__device__ static inline double mm_wide_element(const struct mm_wide_matrix &matrix, int d, int m)
{
    const bool inside = m >= 0 && d >= 0 && d < matrix.window.bands && m + d < matrix.window.levels;
    return inside ? matrix.data[(size_t)d * (size_t)matrix.columns + (size_t)m] : 0.0;
}

/** Stores the columns and diagonals of `part`, those outside the matrix's own window as zeros. */
__device__ static inline void mm_wide_store(const struct mm_wide_matrix &matrix, double *target,
                                            struct mm_window part)
{
    for (int d = 0; d < part.bands; d++)
        for (int m = (int)threadIdx.x; m < part.levels; m += (int)blockDim.x)
            target[(size_t)d * (size_t)matrix.columns + (size_t)m] = mm_wide_element(matrix, d, m);
}

/** Leaves sums over every MM_TILE_COLUMNS columns of two terms of a column at places[chunk][2]; a barrier must
 * follow.
 *  @param first, second  give a lane's part for its columns m and m+1 */
template <class First, class Second>
__device__ __forceinline__ void mm_wide_publish(double (*places)[2], int columns, First first, Second second)
{
    for (int chunk = mm_warp(); chunk < columns / MM_TILE_COLUMNS; chunk += MM_BLOCK_WARPS) {
        const int m = chunk * MM_TILE_COLUMNS + 2 * mm_lane();
        mm_warp_publish_pair(places[chunk], first(m), second(m));
    }
}

/** The sum that mm_wide_publish left as its first or second (0 or 1). */
__device__ static inline double mm_wide_gather(const double (*places)[2], int columns, int which)
{
    return mm_ordered_sum(&places[0][which], 2, columns / MM_TILE_COLUMNS);
}

#endif
