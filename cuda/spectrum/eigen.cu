/* eigen.cu - passive energies of many chains at once (Eq. 10), and the projectors of their derivatives.
 *
 * The live block of a state is a real symmetric matrix of n rows. Its eigenvalues come in ascending order, so that
 * the one of rank k in descending order is number n-1-k, and
 *
 *     passive energy = sum_k k r_k,     its derivative P = sum_k k v_k v_k^T = p 1 - B B^T,  B = (sqrt(p - k) v_k),
 *
 * with p the number of eigenvalues whose vectors are known, of ours those above the noise
 * (host/spectrum/passive.c).
 *
 * A diagonal state needs no solver. Populations that are equal keep the order of their levels there, which is the
 * limit of a state whose population fades with the level.
 */
#include "spectrum/eigen.cuh"

#include <cfloat>
#include <cstdlib>

#include "kernels/density.cuh"
#include "device/check.cuh"
#include "spectrum/cusolver.cuh"
#include "spectrum/tridiagonal.cuh"

namespace
{

constexpr int BLOCK_THREADS = 128;
constexpr int BATCH_MOST = 1024; /* enough to fill a device; more would only take memory */

/* --------------------------------------------------------------------------------------------- kernels */

/* Populations of a diagonal state, sorted ascending; with projectors, those of its levels. One block a chain. */
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

/* One thread a chain, smallest terms first as on the cpu. */
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

/* How many eigenvalues of a matrix have vectors, the largest ones.
 * @param populations  NULL: all of them */
__device__ int known_vectors(const int *populations, int levels, int matrix)
{
    return populations == nullptr ? levels : populations[matrix];
}

/* Column j of each matrix times sqrt(p - k), k = levels-1-j; the others are left as they are. One block a column.
 */
__global__ void weigh_vectors(int levels, const int *populations, double *vectors)
{
    const int column = static_cast<int>(blockIdx.x), matrix = static_cast<int>(blockIdx.y);
    const int places = known_vectors(populations, levels, matrix) - (levels - 1 - column);
    double *vector = vectors + (static_cast<size_t>(matrix) * static_cast<size_t>(levels) + column) *
                                   static_cast<size_t>(levels);
    const double weight = sqrt(static_cast<double>(places));
    for (int n = static_cast<int>(threadIdx.x); n < levels && places > 0; n += BLOCK_THREADS)
        vector[n] *= weight;
}

/* Adds p to the diagonal of each matrix. One block a matrix. */
__global__ void raise_diagonals(int levels, const int *populations, double *matrices)
{
    const int matrix = static_cast<int>(blockIdx.x);
    const size_t size = static_cast<size_t>(levels);
    const double count = known_vectors(populations, levels, matrix);
    for (size_t n = threadIdx.x; n < size; n += BLOCK_THREADS)
        matrices[(static_cast<size_t>(matrix) * size + n) * size + n] += count;
}

/* Element (n, m) of a symmetric matrix of which the lower triangle is filled. */
__device__ double symmetric_element(const double *matrix, int levels, int n, int m)
{
    const int row = n > m ? n : m, column = n > m ? m : n;
    return matrix[static_cast<size_t>(column) * static_cast<size_t>(levels) + static_cast<size_t>(row)];
}

/* Most that an element of R V - V L and of V^T V - 1 may be. */
struct tolerances {
    double residual;
    double product;
};

/* Sets info where an element of R V - V L or V^T V - 1 is above its tolerance. One block a vector. */
__global__ void check_vectors(int levels, const int *populations, const double *matrices, const double *vectors,
                              const double *values, struct tolerances tolerances, int *info)
{
    const int j = static_cast<int>(blockIdx.x);
    const int unknown = levels - known_vectors(populations, levels, static_cast<int>(blockIdx.y));
    if (j < unknown)
        return;
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
        if (!(fabs(residual) <= tolerances.residual && fabs(product) <= tolerances.product))
            info[blockIdx.y] = MM_EIGEN_REJECTED;
    }
}

/* ---------------------------------------------------------------------------------------------- memory */

/* Whether eigenvectors are computed. */
bool with_vectors(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group)
{
    return group.vectors || solver->check;
}

/* Whether the library solves a group. */
bool by_library(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group)
{
    return solver->method == MM_EIGEN_CUSOLVER || group.levels > MM_HOUSEHOLDER_LEVELS_MAX;
}

/* Most problems of a group that are solved at once. */
int most_at_once(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group)
{
    const int of_library = mm_cusolver_most(group.levels);
    return !group.diagonal && by_library(solver, group) && of_library < BATCH_MOST ? of_library : BATCH_MOST;
}

/* Bytes of every array but cuSOLVER's work space. */
size_t group_arrays(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group, size_t *wanted)
{
    const size_t count = static_cast<size_t>(group.count), levels = static_cast<size_t>(group.levels);
    const bool vectors = with_vectors(solver, group), ours = !group.diagonal && !by_library(solver, group);
    for (int array = 0; array < MM_ARRAY_COUNT; array++)
        wanted[array] = 0;
    wanted[MM_ARRAY_MATRICES] = count * levels * levels * sizeof(double);
    wanted[MM_ARRAY_PROJECTORS] = vectors ? wanted[MM_ARRAY_MATRICES] : 0;
    wanted[MM_ARRAY_VECTORS] = vectors && ours ? wanted[MM_ARRAY_MATRICES] : 0;
    wanted[MM_ARRAY_TRIDIAGONAL] = ours ? count * MM_ROW_COUNT * levels * sizeof(double) : 0;
    wanted[MM_ARRAY_POPULATIONS] = ours ? count * sizeof(int) : 0;
    wanted[MM_ARRAY_SHIFTS] = ours ? count * sizeof(double) : 0;
    wanted[MM_ARRAY_EIGENVALUES] = count * levels * sizeof(double);
    wanted[MM_ARRAY_PASSIVE] = count * sizeof(double);
    wanted[MM_ARRAY_INFO] = count * sizeof(int);
    size_t bytes = 0;
    for (int array = 0; array < MM_ARRAY_COUNT; array++)
        bytes += wanted[array];
    return bytes;
}

/* The group as cuSOLVER gets it. */
struct mm_cusolver_group of_library(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group)
{
    return {group.count,
            group.levels,
            with_vectors(solver, group),
            mm_on_device<double>(solver->memory, MM_ARRAY_MATRICES),
            mm_on_device<double>(solver->memory, MM_ARRAY_EIGENVALUES),
            mm_on_device<int>(solver->memory, MM_ARRAY_INFO)};
}

/* The group as our own kernels get it. */
struct mm_tridiagonal_group of_ours(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group)
{
    return {group.count,
            group.levels,
            mm_on_device<double>(solver->memory, MM_ARRAY_TRIDIAGONAL),
            mm_on_device<double>(solver->memory, MM_ARRAY_EIGENVALUES),
            mm_on_device<int>(solver->memory, MM_ARRAY_POPULATIONS),
            mm_on_device<double>(solver->memory, MM_ARRAY_SHIFTS),
            mm_on_device<double>(solver->memory, MM_ARRAY_MATRICES),
            mm_on_device<double>(solver->memory, MM_ARRAY_PROJECTORS),
            mm_on_device<double>(solver->memory, MM_ARRAY_VECTORS),
            mm_on_device<int>(solver->memory, MM_ARRAY_INFO)};
}

/* Where a group's eigenvectors are: cuSOLVER puts them in the place of the matrices. */
double *vectors_of(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group)
{
    return mm_on_device<double>(solver->memory, by_library(solver, group) ? MM_ARRAY_MATRICES : MM_ARRAY_VECTORS);
}

/* How many of them there are of each matrix; NULL: all. */
const int *populations_of(const struct mm_eigen_solver *solver, const struct mm_eigen_group &group)
{
    return by_library(solver, group) ? nullptr : mm_on_device<int>(solver->memory, MM_ARRAY_POPULATIONS);
}

} // namespace

/* ---------------------------------------------------------------------------------------------- solver */

mm_status mm_eigen_open(struct mm_eigen_solver *solver, const struct mm_cuda_libraries *libraries,
                        cudaStream_t stream, struct mm_error *error)
{
    solver->libraries = libraries;
    solver->stream = stream;
    MM_CUBLAS_CHECK(error, libraries->cublasCreate(&solver->cublas));
    MM_CUBLAS_CHECK(error, libraries->cublasSetStream(solver->cublas, stream));
    return mm_cusolver_open(&solver->cusolver, libraries, stream, error);
}

/* What a library says while it is closed cannot be acted on. */
void mm_eigen_close(struct mm_eigen_solver *solver)
{
    mm_cusolver_close(&solver->cusolver);
    if (solver->cublas != nullptr)
        (void)solver->libraries->cublasDestroy(solver->cublas);
    mm_device_memory_free(&solver->memory);
    *solver = {};
}

mm_status mm_eigen_reserve(struct mm_eigen_solver *solver, struct mm_eigen_group *group, struct mm_error *error)
{
    const int most = most_at_once(solver, *group);
    size_t wanted[MM_ARRAY_COUNT], host_work = 0;
    bool fits = false;
    group->count = group->count < most ? group->count : most;
    for (;;) {
        const size_t bytes = group_arrays(solver, *group, wanted);
        fits = bytes <= solver->memory.limit;
        if (fits && !group->diagonal && by_library(solver, *group)) {
            mm_status status = mm_device_memory_reserve(&solver->memory, wanted, error);
            if (status == MM_OK)
                status = mm_cusolver_work(&solver->cusolver, of_library(solver, *group),
                                          &wanted[MM_ARRAY_EIGEN_WORK], &host_work, error);
            if (status != MM_OK)
                return status;
            fits = bytes + wanted[MM_ARRAY_EIGEN_WORK] <= solver->memory.limit;
        }
        if (fits || group->count == 1)
            break;
        group->count = (group->count + 1) / 2;
    }
    mm_status status = mm_device_memory_reserve(&solver->memory, wanted, error);
    return status == MM_OK ? mm_cusolver_reserve(&solver->cusolver, host_work, error) : status;
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
    const double rounding = 64.0 * group.levels * DBL_EPSILON; /* the states have trace 1 */
    const struct tolerances tolerances = {rounding, by_library(solver, group) ? rounding : MM_TWISTED_PRODUCT_MOST};
    const dim3 grid(static_cast<unsigned int>(group.levels), static_cast<unsigned int>(group.count));
    mm_status status =
        mm_cuda_expand(batch, group.count, group.order, group.levels, 0.0, originals, solver->stream, error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, MM_LAUNCH(check_vectors, grid, BLOCK_THREADS, 0, solver->stream, group.levels,
                                   populations_of(solver, group), originals, vectors_of(solver, group),
                                   mm_on_device<double>(solver->memory, MM_ARRAY_EIGENVALUES), tolerances,
                                   mm_on_device<int>(solver->memory, MM_ARRAY_INFO)));
    return MM_OK;
}

mm_status solve_by_library(struct mm_eigen_solver *solver, const struct mm_chain_batch &batch,
                           const struct mm_eigen_group &group, struct mm_error *error)
{
    mm_status status =
        mm_cuda_expand(batch, group.count, group.order, group.levels, 0.0,
                       mm_on_device<double>(solver->memory, MM_ARRAY_MATRICES), solver->stream, error);
    return status == MM_OK ? mm_cusolver_solve(&solver->cusolver, of_library(solver, group),
                                               mm_on_device<void>(solver->memory, MM_ARRAY_EIGEN_WORK), error)
                           : status;
}

mm_status solve_by_ours(struct mm_eigen_solver *solver, const struct mm_chain_batch &batch,
                        const struct mm_eigen_group &group, struct mm_error *error)
{
    const struct mm_tridiagonal_group ours = of_ours(solver, group);
    const bool vectors = with_vectors(solver, group);
    mm_status status = mm_cuda_tridiagonalize(ours, batch, group.order, solver->stream, error);
    if (status == MM_OK)
        status = mm_cuda_tridiagonal_values(ours, batch, group.order, vectors, solver->stream, error);
    if (status == MM_OK && vectors)
        status = mm_cuda_tridiagonal_vectors(ours, solver->stream, error);
    return status == MM_OK && vectors ? mm_cuda_tridiagonal_back(ours, ours.upper, solver->stream, error) : status;
}

mm_status solve(struct mm_eigen_solver *solver, const struct mm_chain_batch &batch,
                const struct mm_eigen_group &group, struct mm_error *error)
{
    if (group.diagonal)
        return solve_diagonal(solver, batch, group, error);
    mm_status status = by_library(solver, group) ? solve_by_library(solver, batch, group, error)
                                                 : solve_by_ours(solver, batch, group, error);
    return status == MM_OK && solver->check ? check_solutions(solver, batch, group, error) : status;
}

} // namespace

mm_status mm_eigen_passive(struct mm_eigen_solver *solver, const struct mm_chain_batch &batch,
                           const struct mm_eigen_group &group, const double **passive, const int **info,
                           struct mm_error *error)
{
    const size_t count = static_cast<size_t>(group.count);
    mm_status status = solve(solver, batch, group, error);
    if (status != MM_OK)
        return status;
    const unsigned int blocks = static_cast<unsigned int>((group.count + BLOCK_THREADS - 1) / BLOCK_THREADS);
    MM_CUDA_CHECK(error, MM_LAUNCH(sum_passive_energy, blocks, BLOCK_THREADS, 0, solver->stream, group.count,
                                   group.levels, mm_on_device<double>(solver->memory, MM_ARRAY_EIGENVALUES),
                                   mm_on_device<double>(solver->memory, MM_ARRAY_PASSIVE)));
    status =
        mm_device_memory_download(&solver->memory, MM_ARRAY_PASSIVE, count * sizeof(double), solver->stream, error);
    if (status == MM_OK)
        status =
            mm_device_memory_download(&solver->memory, MM_ARRAY_INFO, count * sizeof(int), solver->stream, error);
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
    double *products = mm_on_device<double>(solver->memory, MM_ARRAY_PROJECTORS);
    *projectors = products;
    if (group.diagonal)
        return MM_OK;
    double *vectors = vectors_of(solver, group);
    const int *populations = populations_of(solver, group);
    const int n = group.levels;
    const long long stride = static_cast<long long>(n) * n;
    const double minus_one = -1.0, zero = 0.0;
    const unsigned int count = static_cast<unsigned int>(group.count);
    const dim3 grid(static_cast<unsigned int>(n), count);
    MM_CUDA_CHECK(error, MM_LAUNCH(weigh_vectors, grid, BLOCK_THREADS, 0, solver->stream, n, populations, vectors));
    MM_CUBLAS_CHECK(error, solver->libraries->cublasDgemmStridedBatched(
                               solver->cublas, CUBLAS_OP_N, CUBLAS_OP_T, n, n, n, &minus_one, vectors, n, stride,
                               vectors, n, stride, &zero, products, n, stride, group.count));
    MM_CUDA_CHECK(error,
                  MM_LAUNCH(raise_diagonals, count, BLOCK_THREADS, 0, solver->stream, n, populations, products));
    return MM_OK;
}
