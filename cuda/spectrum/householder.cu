/* householder.cu - states to tridiagonal form, and eigenvectors back, by Householder's reflectors.
 *
 * Step k takes row k of what is left of A to a multiple of the unit vector k+1 by H = 1 - tau u u^T with u_{k+1} =
 * 1, and replaces the rest by H A H = A - u w^T - w u^T, where p = A u and w = tau p - (tau^2/2) (p^T u) u (Golub
 * and Van Loan, Matrix Computations, 8.3.1). As on the cpu (host/spectrum/tridiagonal_loops.h) one pass over what
 * is left brings it up to date with the last step and multiplies it by the next u.
 *
 * Counted for n levels: n^3/3 elements are loaded, updated and stored again, three multiply-adds each, in two
 * barriers a step, and a warp's row of a pass costs six wavefronts of shared memory: for n = 100 some 65000 of
 * them, of which a multiprocessor serves one a cycle. The way back is two multiply-adds for every element of a
 * reflector and vector in registers.
 */
#include "kernels/band_wide.cuh"
#include "device/check.cuh"
#include "solver/spectrum.h"
#include "spectrum/tridiagonal.cuh"

namespace
{

/* --------------------------------------------------------------------------------------------- reduction */

constexpr int THREADS = 256;

/* What the threads of a block share. */
struct reduction {
    int levels;
    double2 *update;  /* [levels]: v and w of the last step */
    double *u;        /* [levels], of this one */
    double *products; /* [segments][rows left], parts of p */
    double *matrix;   /* [levels][levels] */
};

/* Doubles of shared memory beside the matrix. */
__host__ __device__ constexpr size_t shared_vectors(int levels)
{
    return 3 * static_cast<size_t>(levels) + static_cast<size_t>(levels > THREADS ? levels : THREADS);
}

/* Into how many parts the rows of a pass are divided, so that all threads have a column. */
__device__ int segments_of(int rows)
{
    const int columns = (rows + 31) / 32 * 32;
    return columns < THREADS ? THREADS / columns : 1;
}

__device__ __forceinline__ void load_state(const struct reduction &block, const struct mm_wide_matrix &state)
{
    for (int row = 0; row < block.levels; row++)
        for (int column = static_cast<int>(threadIdx.x); column < block.levels; column += THREADS)
            block.matrix[row * block.levels + column] = mm_wide_element(state, abs(row - column), min(row, column));
    for (int i = static_cast<int>(threadIdx.x); i < block.levels; i += THREADS)
        block.update[i] = make_double2(0.0, 0.0);
}

/* Everything from row `first` on: what the last step left to do, and p = A u. */
__device__ __forceinline__ void run_pass(const struct reduction &block, int first)
{
    const int rows = block.levels - first, segments = segments_of(rows);
    const int columns = segments > 1 ? (rows + 31) / 32 * 32 : THREADS;
    const int segment = static_cast<int>(threadIdx.x) / columns;
    if (segment >= segments)
        return;
    for (int i = first + static_cast<int>(threadIdx.x) % columns; i < block.levels; i += columns) {
        const double2 own = block.update[i];
        double product = 0.0;
#pragma unroll 4
        for (int row = first + segment; row < block.levels; row += segments) {
            const double2 other = block.update[row];
            double *place = block.matrix + row * block.levels + i;
            const double element = *place - other.x * own.y - other.y * own.x;
            *place = element;
            product += element * block.u[row];
        }
        block.products[segment * rows + i - first] = product;
    }
}

/* One warp: v and w of the step before row `first`, from its u and p. */
__device__ __forceinline__ void make_update(const struct reduction &block, int first, double tau)
{
    const int rows = block.levels - first, segments = segments_of(rows);
    double sum = 0.0;
    for (int i = first + mm_lane(); i < block.levels; i += 32) {
        const double u = block.u[i], p = mm_ordered_sum(block.products + (i - first), rows, segments);
        block.update[i] = make_double2(u, p);
        sum += u * p;
    }
    const double share = 0.5 * tau * tau * mm_warp_sum(sum);
    for (int i = first + mm_lane(); i < block.levels; i += 32)
        block.update[i].y = tau * block.update[i].y - share * block.update[i].x;
    __syncwarp();
}

/* One warp: brings row k up to date in u; returns the square of what lies beyond column k+1. */
__device__ __forceinline__ double take_row(const struct reduction &block, int k)
{
    const double2 own = block.update[k];
    double square = 0.0;
    for (int i = k + mm_lane(); i < block.levels; i += 32) {
        const double2 other = block.update[i];
        const double element = block.matrix[k * block.levels + i] - other.x * own.y - other.y * own.x;
        block.u[i] = element;
        square += i > k + 1 ? element * element : 0.0;
    }
    square = mm_warp_sum(square);
    __syncwarp();
    return square;
}

/* One warp: element k of T and the reflector of row k, of which there is none for the last one. */
__device__ __forceinline__ void take_step(const struct reduction &block, const struct mm_tridiagonal_group &group,
                                          int k)
{
    const int matrix = static_cast<int>(blockIdx.x);
    double *scales = mm_tridiagonal_find(group, matrix, MM_ROW_SCALES);
    if (k > 0)
        make_update(block, k, scales[k - 1]);
    const double square = take_row(block, k), diagonal = block.u[k];
    const bool last = k + 1 == block.levels;
    const struct mm_reflector reflector = mm_find_reflector(last ? 0.0 : block.u[k + 1], square);
    __syncwarp();
    double *row = mm_tridiagonal_square(group, group.reflectors, matrix) + k * block.levels;
    for (int i = k + mm_lane(); i < block.levels && !last; i += 32) {
        const double one = reflector.scale != 0.0 ? 1.0 : 0.0;
        row[i] = block.u[i] = i > k + 1 ? reflector.scale * block.u[i] : i == k + 1 ? one : 0.0;
    }
    if (mm_lane() == 0) {
        mm_tridiagonal_find(group, matrix, MM_ROW_DIAGONAL)[k] = diagonal;
        mm_tridiagonal_find(group, matrix, MM_ROW_BELOW)[k] = reflector.below;
        scales[k] = reflector.tau;
    }
    __syncwarp();
}

__device__ __forceinline__ void reduce(const struct reduction &block, const struct mm_tridiagonal_group &group)
{
    for (int k = 0; k < block.levels; k++) {
        __syncthreads();
        if (mm_warp() == 0)
            take_step(block, group, k);
        __syncthreads();
        if (k + 1 < block.levels)
            run_pass(block, k + 1);
    }
}

/* One block a matrix.
 * @tparam IN_SHARED  there is shared memory for the matrix; else it lies where its reflectors come to lie */
template <bool IN_SHARED>
__global__ void __launch_bounds__(THREADS)
    householder_reduce(struct mm_tridiagonal_group group, struct mm_chain_batch batch, const int *order)
{
    MM_DYNAMIC_SHARED(double, memory);
    const struct mm_chain_view view = mm_view_chain(batch, order[blockIdx.x]);
    const size_t levels = static_cast<size_t>(group.levels);
    double *own = IN_SHARED ? memory + shared_vectors(group.levels)
                            : mm_tridiagonal_square(group, group.reflectors, static_cast<int>(blockIdx.x));
    const struct reduction block = {group.levels, reinterpret_cast<double2 *>(memory), memory + 2 * levels,
                                    memory + 3 * levels, own};
    load_state(block, {view.state, batch.columns, view.chain->window});
    reduce(block, group);
}

/* -------------------------------------------------------------------------------------------------- back */

constexpr int BACK_WARPS = 4;
constexpr int BACK_FOURS = 4; /* vectors are summed over a warp by fours */

/* Row `row` of unit vector k of T, at right angles to its neighbours. */
__device__ double orthogonal_element(const struct mm_tridiagonal_group &group, int matrix, int k, int row)
{
    const double *place = mm_tridiagonal_square(group, group.lower, matrix) + row * group.levels + k;
    double element = mm_tridiagonal_find(group, matrix, MM_ROW_OWN)[k] * place[0];
    if (k > 0)
        element += mm_tridiagonal_find(group, matrix, MM_ROW_BEFORE)[k] * place[-1];
    if (k + 1 < group.populations[matrix])
        element += mm_tridiagonal_find(group, matrix, MM_ROW_AFTER)[k] * place[1];
    return element;
}

/* A lane's part of a reflector: rows lane, lane + 32, .. */
template <int PARTS>
__device__ __forceinline__ void load_reflector(const double *reflectors, int levels, int k, double u[PARTS])
{
    MM_UNROLL
    for (int part = 0; part < PARTS; part++) {
        const int row = 32 * part + mm_lane();
        u[part] = k >= 0 && row > k && row < levels ? reflectors[k * levels + row] : 0.0;
    }
}

template <int PARTS, int VECTORS>
__device__ __forceinline__ void reflect(const double u[PARTS], double tau, double vectors[VECTORS][PARTS])
{
    double products[VECTORS];
    MM_UNROLL
    for (int v = 0; v < VECTORS; v++) {
        products[v] = 0.0;
        MM_UNROLL
        for (int part = 0; part < PARTS; part++)
            products[v] += u[part] * vectors[v][part];
    }
    MM_UNROLL
    for (int four = 0; four < VECTORS; four += BACK_FOURS) {
        const double sum =
            tau * mm_warp_sum_four(products[four], products[four + 1], products[four + 2], products[four + 3]);
        MM_UNROLL
        for (int v = 0; v < BACK_FOURS; v++) {
            const double share = __shfl_sync((unsigned)MM_ALL_LANES, sum, 32 / BACK_FOURS * v);
            MM_UNROLL
            for (int part = 0; part < PARTS; part++)
                vectors[four + v][part] -= share * u[part];
        }
    }
}

/* Z = Q Z, the last reflectors first. The next one is on its way while one is applied. */
template <int PARTS, int VECTORS>
__device__ __forceinline__ void reflect_all(const struct mm_tridiagonal_group &group, int matrix,
                                            double vectors[VECTORS][PARTS])
{
    const double *reflectors = mm_tridiagonal_square(group, group.reflectors, matrix);
    const double *scales = mm_tridiagonal_find(group, matrix, MM_ROW_SCALES);
    double u[PARTS], next[PARTS];
    load_reflector<PARTS>(reflectors, group.levels, group.levels - 2, next);
    for (int k = group.levels - 2; k >= 0; k--) {
        MM_UNROLL
        for (int part = 0; part < PARTS; part++)
            u[part] = next[part];
        load_reflector<PARTS>(reflectors, group.levels, k - 1, next);
        reflect<PARTS, VECTORS>(u, scales[k], vectors);
    }
}

/* A warp for every VECTORS vectors; blockIdx.y is the matrix. */
template <int PARTS, int VECTORS>
__global__ void __launch_bounds__(32 * BACK_WARPS)
    householder_back(struct mm_tridiagonal_group group, double *vectors)
{
    const int levels = group.levels, matrix = static_cast<int>(blockIdx.y);
    const int first = (static_cast<int>(blockIdx.x) * BACK_WARPS + mm_warp()) * VECTORS;
    const int populations = group.info[matrix] == 0 ? group.populations[matrix] : 0;
    double own[VECTORS][PARTS];
    MM_UNROLL
    for (int v = 0; v < VECTORS; v++)
        MM_UNROLL
    for (int part = 0; part < PARTS; part++) {
        const int row = 32 * part + mm_lane();
        own[v][part] =
            first + v < populations && row < levels ? orthogonal_element(group, matrix, first + v, row) : 0.0;
    }
    if (first < populations)
        reflect_all<PARTS, VECTORS>(group, matrix, own);
    double *all = mm_tridiagonal_square(group, vectors, matrix);
    MM_UNROLL
    for (int v = 0; v < VECTORS; v++)
        MM_UNROLL
    for (int part = 0; part < PARTS; part++) {
        const int row = 32 * part + mm_lane(), ascending = levels - 1 - first - v;
        if (ascending >= 0 && row < levels)
            all[ascending * levels + row] = own[v][part];
    }
}

template <int PARTS, int VECTORS>
cudaError_t launch_back(const struct mm_tridiagonal_group &group, double *vectors, cudaStream_t stream)
{
    const auto kernel = householder_back<PARTS, VECTORS>;
    const int of_block = BACK_WARPS * VECTORS;
    const dim3 grid(static_cast<unsigned int>((group.levels + of_block - 1) / of_block),
                    static_cast<unsigned int>(group.count));
    return MM_LAUNCH(kernel, grid, 32 * BACK_WARPS, 0, stream, group, vectors);
}

} // namespace

mm_status mm_cuda_tridiagonalize(const struct mm_tridiagonal_group &group, const struct mm_chain_batch &batch,
                                 const int *order, cudaStream_t stream, struct mm_error *error)
{
    const size_t levels = static_cast<size_t>(group.levels);
    const size_t vectors = shared_vectors(group.levels) * sizeof(double), matrix = levels * levels * sizeof(double);
    int device = 0, most = 0;
    MM_CUDA_CHECK(error, cudaGetDevice(&device));
    MM_CUDA_CHECK(error, cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    const bool in_shared = vectors + matrix <= static_cast<size_t>(most);
    const auto kernel = in_shared ? householder_reduce<true> : householder_reduce<false>;
    /* All there is, whatever the group: other threads launch this kernel with groups of their own. */
    MM_CUDA_CHECK(error, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
    MM_CUDA_CHECK(error, MM_LAUNCH(kernel, static_cast<unsigned int>(group.count), THREADS,
                                   in_shared ? vectors + matrix : vectors, stream, group, batch, order));
    return MM_OK;
}

mm_status mm_cuda_tridiagonal_back(const struct mm_tridiagonal_group &group, double *vectors, cudaStream_t stream,
                                   struct mm_error *error)
{
    const auto launch = group.levels <= 64    ? launch_back<2, 8>
                        : group.levels <= 128 ? launch_back<4, 8>
                        : group.levels <= 256 ? launch_back<8, 8>
                                              : launch_back<16, 4>;
    MM_CUDA_CHECK(error, launch(group, vectors, stream));
    return MM_OK;
}
