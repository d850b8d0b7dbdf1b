/* density.cu - the kernels between the band matrices of a batch and the world: one block a chain, memory-bound. */
#include "kernels/density.cuh"

#include "kernels/band_wide.cuh"
#include "kernels/derivatives.cuh"
#include "device/check.cuh"

namespace
{

__device__ struct mm_wide_matrix present_state(const struct mm_chain_batch &batch, const struct mm_chain_view &view)
{
    return {view.state, batch.columns, view.chain->window};
}

__global__ void __launch_bounds__(MM_BLOCK_THREADS) start_chain(struct mm_chain_batch batch, const int *order)
{
    const struct mm_chain_view view = mm_view_chain(batch, order[blockIdx.x]);
    const size_t matrix = mm_batch_matrix(batch);
    for (size_t i = threadIdx.x; i < matrix; i += blockDim.x)
        view.state[i] = i == 0 ? 1.0 : 0.0;
    if (batch.derivatives != nullptr)
        for (int i = (int)threadIdx.x; i < 2 * batch.problem.protocol.batch_count; i += (int)blockDim.x)
            view.derivatives[i] = 0.0;
    if (batch.few != nullptr && threadIdx.x == 0)
        *view.few = {};
    if (threadIdx.x == 0) {
        struct mm_device_chain chain = {};
        chain.g = view.chain->g;
        chain.band_tolerance = view.chain->band_tolerance;
        chain.way = view.chain->way;
        chain.window = {min(batch.problem.levels, (int)MM_WINDOW_STEP), 1};
        chain.most_bands = chain.window.bands;
        *view.chain = chain;
    }
}

/* A lane's part of Tr(R^2), for its columns m and m+1. */
__device__ double purity_part(const struct mm_wide_matrix &state, int m)
{
    double below = 0.0;
    for (int d = state.window.bands - 1; d > 0; d--) {
        const double a = mm_wide_element(state, d, m), b = mm_wide_element(state, d, m + 1);
        below += a * a + b * b;
    }
    const double a = mm_wide_element(state, 0, m), b = mm_wide_element(state, 0, m + 1);
    return 2.0 * below + (a * a + b * b);
}

__global__ void __launch_bounds__(MM_BLOCK_THREADS) find_purity(struct mm_chain_batch batch, const int *order)
{
    __shared__ double places[MM_WIDE_CHUNKS][2];
    const struct mm_chain_view view = mm_view_chain(batch, order[blockIdx.x]);
    const struct mm_wide_matrix state = present_state(batch, view);
    mm_wide_publish(
        places, batch.columns, [&](int m) { return purity_part(state, m); }, [](int) { return 0.0; });
    __syncthreads();
    if (threadIdx.x == 0)
        view.chain->purity = mm_wide_gather(places, batch.columns, 0);
}

__global__ void __launch_bounds__(MM_BLOCK_THREADS)
    expand_state(struct mm_chain_batch batch, const int *order, int n, double padding, double *dense)
{
    const struct mm_wide_matrix state = present_state(batch, mm_view_chain(batch, order[blockIdx.x]));
    double *target = dense + (size_t)blockIdx.x * (size_t)n * (size_t)n;
    for (int column = 0; column < n; column++)
        for (int row = (int)threadIdx.x; row < n; row += (int)blockDim.x) {
            const bool beyond = row == column && row >= state.window.levels;
            target[(size_t)column * (size_t)n + (size_t)row] =
                beyond ? padding : mm_wide_element(state, abs(row - column), min(row, column));
        }
}

/* Four blocks a multiprocessor are plenty; asking for no more keeps the compiler from spilling to fit eight. */
__global__ void __launch_bounds__(MM_BLOCK_THREADS, 4)
    build_adjoint(struct mm_chain_batch batch, const int *order, int n, const double *projector,
                  const struct mm_loss *losses)
{
    const struct mm_device_problem &problem = batch.problem;
    const struct mm_chain_view view = mm_view_chain(batch, order[blockIdx.x]);
    const struct mm_window window = view.chain->window;
    const double *of_chain = projector + (size_t)blockIdx.x * (size_t)n * (size_t)n;
    const struct mm_loss loss = losses[blockIdx.x];
    const double source = loss.by_instability * mm_tail_source(problem.tail, view.tail_signs, problem.tail.end);
    const double by_energy = loss.by_energy != 0.0 ? source + loss.by_energy : source;
    const struct mm_wide_matrix state = present_state(batch, view);
    if (threadIdx.x == 0)
        *view.by_instability = loss.by_instability;
    const int columns = batch.columns;
    double *row = view.adjoint;
    for (int d = 0; d < batch.bands; d++, row += columns)
        for (int m = (int)threadIdx.x; m < columns; m += (int)blockDim.x) {
            const double level = d == 0 ? m : 0.0;
            const bool inside = d < window.bands && m + d < window.levels;
            double element = 0.0;
            if (inside)
                element = loss.by_ergotropy * (level - of_chain[(size_t)m * (size_t)n + (size_t)(m + d)]) +
                          by_energy * level;
            if (inside && loss.by_purity != 0.0)
                element += 2.0 * loss.by_purity * mm_wide_element(state, d, m);
            row[m] = element;
        }
}

} // namespace

cudaError_t mm_cuda_code(void)
{
    cudaFuncAttributes attributes;
    return cudaFuncGetAttributes(&attributes, start_chain);
}

mm_status mm_cuda_start(const struct mm_chain_batch &batch, int count, const int *order, cudaStream_t stream,
                        struct mm_error *error)
{
    if (count > 0)
        MM_CUDA_CHECK(error, MM_LAUNCH(start_chain, (unsigned)count, MM_BLOCK_THREADS, 0, stream, batch, order));
    return MM_OK;
}

mm_status mm_cuda_purity(const struct mm_chain_batch &batch, int count, const int *order, cudaStream_t stream,
                         struct mm_error *error)
{
    if (count > 0)
        MM_CUDA_CHECK(error, MM_LAUNCH(find_purity, (unsigned)count, MM_BLOCK_THREADS, 0, stream, batch, order));
    return MM_OK;
}

mm_status mm_cuda_expand(const struct mm_chain_batch &batch, int count, const int *order, int n, double padding,
                         double *dense, cudaStream_t stream, struct mm_error *error)
{
    if (count > 0)
        MM_CUDA_CHECK(error, MM_LAUNCH(expand_state, (unsigned)count, MM_BLOCK_THREADS, 0, stream, batch, order, n,
                                       padding, dense));
    return MM_OK;
}

mm_status mm_cuda_build_adjoint(const struct mm_chain_batch &batch, int count, const int *order, int n,
                                const double *projector, const struct mm_loss *losses, cudaStream_t stream,
                                struct mm_error *error)
{
    if (count > 0)
        MM_CUDA_CHECK(error, MM_LAUNCH(build_adjoint, (unsigned)count, MM_BLOCK_THREADS, 0, stream, batch, order, n,
                                       projector, losses));
    return MM_OK;
}
