/* eigen_cusolver.cu - passive energies of many chains at once (Eq. 10), and the projectors of their derivatives.
 *
 * The live block of a state is a real symmetric matrix of n rows. cuSOLVER gives its eigenvalues in ascending
 * order, so that the one of rank k in descending order is number n-1-k, and
 *
 *     passive energy = sum_k k r_k,        its derivative P = sum_k k v_k v_k^T = B B^T,  B = (sqrt(k) v_k).
 *
 * A diagonal state needs no solver. Populations that are equal keep the order of their levels there, which is the
 * limit of a state whose population fades with the level.
 */
#include "eigen_cusolver.cuh"

#include <cfloat>
#include <cstdlib>

#include "density.cuh"
#include "device_check.cuh"

namespace
{

constexpr int BLOCK_THREADS = 128;
constexpr int BATCH_MOST = 1024; /* enough to fill a device; more would only take memory */

/* --------------------------------------------------------------------------------------------- kernels */

/** Populations of a diagonal state, sorted ascending; with projectors, those of its levels. One block a chain. */
__global__ void sort_populations(struct mm_chain_batch batch, const int *order, int levels, double *values,
                                 double *projectors)
{
    const double *populations = batch.state + static_cast<size_t>(order[blockIdx.x]) * mm_batch_matrix(batch);
    const size_t size = static_cast<size_t>(levels);
    for (int n = static_cast<int>(threadIdx.x); n < levels; n += BLOCK_THREADS) {
        const double population = populations[n];
        int rank = 0;
        for (int other = 0; other < levels; other++)
            rank += populations[other] > population || (populations[other] == population && other < n);
        values[blockIdx.x * size + size - 1 - static_cast<size_t>(rank)] = population;
        if (projectors != nullptr)
            projectors[(blockIdx.x * size + static_cast<size_t>(n)) * size + static_cast<size_t>(n)] = rank;
    }
}

/** One thread a chain, smallest terms first as on the cpu. */
__global__ void sum_passive_energy(int count, int levels, const double *values, double *passive)
{
    const int matrix = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (matrix >= count)
        return;
    const double *ascending = values + static_cast<size_t>(matrix) * static_cast<size_t>(levels);
    double energy = 0.0;
    for (int k = levels - 1; k > 0; k--)
        energy += k * ascending[levels - 1 - k];
    passive[matrix] = energy;
}

/** Column j of each matrix times sqrt(k), k = levels-1-j. One block a column. */
__global__ void weigh_vectors(int levels, double *vectors)
{
    const int column = static_cast<int>(blockIdx.x);
    double *vector = vectors + (static_cast<size_t>(blockIdx.y) * static_cast<size_t>(levels) + column) *
                                   static_cast<size_t>(levels);
    const double weight = sqrt(static_cast<double>(levels - 1 - column));
    for (int n = static_cast<int>(threadIdx.x); n < levels; n += BLOCK_THREADS)
        vector[n] *= weight;
}

/** Element (n, m) of a symmetric matrix of which the lower triangle is filled. */
__device__ double symmetric_element(const double *matrix, int levels, int n, int m)
{
    const int row = n > m ? n : m, column = n > m ? m : n;
    return matrix[static_cast<size_t>(column) * static_cast<size_t>(levels) + static_cast<size_t>(row)];
}

/** Sets info where R V - V L or V^T V - 1 has an element above the tolerance. One block a vector. */
__global__ void check_vectors(int levels, const double *matrices, const double *vectors, const double *values,
                              double tolerance, int *info)
{
    const int j = static_cast<int>(blockIdx.x);
    const size_t size = static_cast<size_t>(levels);
    const double *matrix = matrices + blockIdx.y * size * size;
    const double *all = vectors + blockIdx.y * size * size;
    const double *vector = all + static_cast<size_t>(j) * size;
    const double value = values[blockIdx.y * size + static_cast<size_t>(j)];
    for (int i = static_cast<int>(threadIdx.x); i < levels; i += BLOCK_THREADS) {
        double residual = -value * vector[i], product = i == j ? -1.0 : 0.0;
        for (int m = 0; m < levels; m++) {
            residual += symmetric_element(matrix, levels, i, m) * vector[m];
            product += all[static_cast<size_t>(i) * size + static_cast<size_t>(m)] * vector[m];
        }
        if (!(fabs(residual) <= tolerance && fabs(product) <= tolerance))
            info[blockIdx.y] = MM_EIGEN_REJECTED;
    }
}

/* ---------------------------------------------------------------------------------------------- memory */

cusolverEigMode_t mode_of(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group)
{
    return group.vectors || solver->check ? CUSOLVER_EIG_MODE_VECTOR : CUSOLVER_EIG_MODE_NOVECTOR;
}

/** Bytes of every array but cuSOLVER's work space. */
size_t group_arrays(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group, size_t *wanted)
{
    const size_t count = static_cast<size_t>(group.count), levels = static_cast<size_t>(group.levels);
    const bool second = mode_of(solver, group) == CUSOLVER_EIG_MODE_VECTOR;
    for (int array = 0; array < MM_ARRAY_COUNT; array++)
        wanted[array] = 0;
    wanted[MM_ARRAY_MATRICES] = count * levels * levels * sizeof(double);
    wanted[MM_ARRAY_PROJECTORS] = second ? wanted[MM_ARRAY_MATRICES] : 0;
    wanted[MM_ARRAY_EIGENVALUES] = count * levels * sizeof(double);
    wanted[MM_ARRAY_PASSIVE] = count * sizeof(double);
    wanted[MM_ARRAY_INFO] = count * sizeof(int);
    size_t bytes = 0;
    for (int array = 0; array < MM_ARRAY_COUNT; array++)
        bytes += wanted[array];
    return bytes;
}

mm_status query_work(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group, size_t *device_bytes,
                     size_t *host_bytes, struct mm_error *error)
{
    *device_bytes = *host_bytes = 0;
    if (group.diagonal)
        return MM_OK;
    MM_CUSOLVER_CHECK(error,
                      solver->libraries->cusolverDnXsyevBatched_bufferSize(
                          solver->cusolver, solver->parameters, mode_of(solver, group), CUBLAS_FILL_MODE_LOWER,
                          group.levels, CUDA_R_64F, mm_on_device<double>(solver->memory, MM_ARRAY_MATRICES),
                          group.levels, CUDA_R_64F, mm_on_device<double>(solver->memory, MM_ARRAY_EIGENVALUES),
                          CUDA_R_64F, device_bytes, host_bytes, group.count));
    return MM_OK;
}

mm_status reserve_host_work(struct mm_eigen_solver *solver, size_t bytes, struct mm_error *error)
{
    if (bytes <= solver->host_work_bytes)
        return MM_OK;
    free(solver->host_work);
    solver->host_work_bytes = 0;
    solver->host_work = malloc(bytes);
    if (solver->host_work == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for cuSOLVER's %zu bytes on the host", bytes);
    solver->host_work_bytes = bytes;
    return MM_OK;
}

} // namespace

/* ---------------------------------------------------------------------------------------------- solver */

mm_status mm_eigen_open(struct mm_eigen_solver *solver, const struct mm_cuda_libraries *libraries,
                        cudaStream_t stream, struct mm_error *error)
{
    solver->libraries = libraries;
    solver->stream = stream;
    MM_CUSOLVER_CHECK(error, libraries->cusolverDnCreate(&solver->cusolver));
    MM_CUSOLVER_CHECK(error, libraries->cusolverDnSetStream(solver->cusolver, stream));
    MM_CUSOLVER_CHECK(error, libraries->cusolverDnCreateParams(&solver->parameters));
    MM_CUBLAS_CHECK(error, libraries->cublasCreate(&solver->cublas));
    MM_CUBLAS_CHECK(error, libraries->cublasSetStream(solver->cublas, stream));
    return MM_OK;
}

/** What a library says while it is closed cannot be acted on. */
void mm_eigen_close(struct mm_eigen_solver *solver)
{
    if (solver->cublas != nullptr)
        (void)solver->libraries->cublasDestroy(solver->cublas);
    if (solver->parameters != nullptr)
        (void)solver->libraries->cusolverDnDestroyParams(solver->parameters);
    if (solver->cusolver != nullptr)
        (void)solver->libraries->cusolverDnDestroy(solver->cusolver);
    mm_device_memory_free(&solver->memory);
    free(solver->host_work);
    *solver = {};
}

mm_status mm_eigen_reserve(struct mm_eigen_solver *solver, struct mm_eigen_group *group, struct mm_error *error)
{
    size_t wanted[MM_ARRAY_COUNT], host_work = 0;
    bool fits = false;
    group->count = group->count < BATCH_MOST ? group->count : BATCH_MOST;
    for (;;) {
        const size_t bytes = group_arrays(solver, *group, wanted);
        fits = bytes <= solver->memory.limit;
        if (fits) {
            mm_status status = mm_device_memory_reserve(&solver->memory, wanted, error);
            if (status == MM_OK)
                status = query_work(solver, *group, &wanted[MM_ARRAY_EIGEN_WORK], &host_work, error);
            if (status != MM_OK)
                return status;
            fits = bytes + wanted[MM_ARRAY_EIGEN_WORK] <= solver->memory.limit;
        }
        if (fits || group->count == 1)
            break;
        group->count = (group->count + 1) / 2;
    }
    mm_status status = mm_device_memory_reserve(&solver->memory, wanted, error);
    return status == MM_OK ? reserve_host_work(solver, host_work, error) : status;
}

namespace
{

mm_status solve_diagonal(struct mm_eigen_solver *solver, const struct mm_chain_batch &batch,
                         const struct mm_eigen_group &group, struct mm_error *error)
{
    const size_t count = static_cast<size_t>(group.count), levels = static_cast<size_t>(group.levels);
    double *projectors = mm_on_device<double>(solver->memory, MM_ARRAY_PROJECTORS);
    MM_CUDA_CHECK(error, cudaMemsetAsync(mm_on_device<int>(solver->memory, MM_ARRAY_INFO), 0, count * sizeof(int),
                                         solver->stream));
    if (group.vectors)
        MM_CUDA_CHECK(error,
                      cudaMemsetAsync(projectors, 0, count * levels * levels * sizeof(double), solver->stream));
    MM_CUDA_CHECK(error, MM_LAUNCH(sort_populations, static_cast<unsigned int>(group.count), BLOCK_THREADS, 0,
                                   solver->stream, batch, group.order, group.levels,
                                   mm_on_device<double>(solver->memory, MM_ARRAY_EIGENVALUES),
                                   group.vectors ? projectors : nullptr));
    return MM_OK;
}

mm_status check_solutions(struct mm_eigen_solver *solver, const struct mm_chain_batch &batch,
                          const struct mm_eigen_group &group, struct mm_error *error)
{
    double *originals = mm_on_device<double>(solver->memory, MM_ARRAY_PROJECTORS);
    const double tolerance = 64.0 * group.levels * DBL_EPSILON; /* the states have trace 1 */
    const dim3 grid(static_cast<unsigned int>(group.levels), static_cast<unsigned int>(group.count));
    mm_status status =
        mm_cuda_expand(batch, group.count, group.order, group.levels, 0.0, originals, solver->stream, error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, MM_LAUNCH(check_vectors, grid, BLOCK_THREADS, 0, solver->stream, group.levels, originals,
                                   mm_on_device<double>(solver->memory, MM_ARRAY_MATRICES),
                                   mm_on_device<double>(solver->memory, MM_ARRAY_EIGENVALUES), tolerance,
                                   mm_on_device<int>(solver->memory, MM_ARRAY_INFO)));
    return MM_OK;
}

mm_status solve_dense(struct mm_eigen_solver *solver, const struct mm_chain_batch &batch,
                      const struct mm_eigen_group &group, struct mm_error *error)
{
    double *matrices = mm_on_device<double>(solver->memory, MM_ARRAY_MATRICES);
    size_t work, host_work; /* exactly what is asked for: how a library computes may depend on what it is offered */
    mm_status status = query_work(solver, group, &work, &host_work, error);
    if (status == MM_OK)
        status =
            mm_cuda_expand(batch, group.count, group.order, group.levels, 0.0, matrices, solver->stream, error);
    if (status != MM_OK)
        return status;
    MM_CUSOLVER_CHECK(error, solver->libraries->cusolverDnXsyevBatched(
                                 solver->cusolver, solver->parameters, mode_of(solver, group),
                                 CUBLAS_FILL_MODE_LOWER, group.levels, CUDA_R_64F, matrices, group.levels,
                                 CUDA_R_64F, mm_on_device<double>(solver->memory, MM_ARRAY_EIGENVALUES), CUDA_R_64F,
                                 mm_on_device<void>(solver->memory, MM_ARRAY_EIGEN_WORK), work, solver->host_work,
                                 host_work, mm_on_device<int>(solver->memory, MM_ARRAY_INFO), group.count));
    return solver->check ? check_solutions(solver, batch, group, error) : MM_OK;
}

/** Brings the first `bytes` of an array to its pinned twin. */
mm_status download(struct mm_eigen_solver *solver, enum mm_array array, size_t bytes, struct mm_error *error)
{
    mm_status status = mm_device_memory_stage(&solver->memory, array, bytes, error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error,
                  cudaMemcpyAsync(mm_staged<void>(solver->memory, array), mm_on_device<void>(solver->memory, array),
                                  bytes, cudaMemcpyDeviceToHost, solver->stream));
    return MM_OK;
}

} // namespace

mm_status mm_eigen_passive(struct mm_eigen_solver *solver, const struct mm_chain_batch &batch,
                           const struct mm_eigen_group &group, const double **passive, const int **info,
                           struct mm_error *error)
{
    const size_t count = static_cast<size_t>(group.count);
    mm_status status =
        group.diagonal ? solve_diagonal(solver, batch, group, error) : solve_dense(solver, batch, group, error);
    if (status != MM_OK)
        return status;
    const unsigned int blocks = static_cast<unsigned int>((group.count + BLOCK_THREADS - 1) / BLOCK_THREADS);
    MM_CUDA_CHECK(error, MM_LAUNCH(sum_passive_energy, blocks, BLOCK_THREADS, 0, solver->stream, group.count,
                                   group.levels, mm_on_device<double>(solver->memory, MM_ARRAY_EIGENVALUES),
                                   mm_on_device<double>(solver->memory, MM_ARRAY_PASSIVE)));
    status = download(solver, MM_ARRAY_PASSIVE, count * sizeof(double), error);
    if (status == MM_OK)
        status = download(solver, MM_ARRAY_INFO, count * sizeof(int), error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaStreamSynchronize(solver->stream));
    *passive = mm_staged<double>(solver->memory, MM_ARRAY_PASSIVE);
    *info = mm_staged<int>(solver->memory, MM_ARRAY_INFO);
    return MM_OK;
}

mm_status mm_eigen_projectors(struct mm_eigen_solver *solver, const struct mm_eigen_group &group,
                              const double **projectors, struct mm_error *error)
{
    double *vectors = mm_on_device<double>(solver->memory, MM_ARRAY_MATRICES);
    double *products = mm_on_device<double>(solver->memory, MM_ARRAY_PROJECTORS);
    *projectors = products;
    if (group.diagonal)
        return MM_OK;
    const int n = group.levels;
    const long long stride = static_cast<long long>(n) * n;
    const double one = 1.0, zero = 0.0;
    const dim3 grid(static_cast<unsigned int>(n), static_cast<unsigned int>(group.count));
    MM_CUDA_CHECK(error, MM_LAUNCH(weigh_vectors, grid, BLOCK_THREADS, 0, solver->stream, n, vectors));
    MM_CUBLAS_CHECK(error, solver->libraries->cublasDgemmStridedBatched(
                               solver->cublas, CUBLAS_OP_N, CUBLAS_OP_T, n, n, n, &one, vectors, n, stride, vectors,
                               n, stride, &zero, products, n, stride, group.count));
    return MM_OK;
}
