/* worker.cu - one stream of one device with all it needs to evaluate chains on its own. */
#include "backend/worker.cuh"

#include <climits>
#include <cstdlib>

#include "kernels/density.cuh"
#include "device/check.cuh"
#include "backend/host.cuh"

namespace
{

constexpr size_t CHAINS_PER_MULTIPROCESSOR = 8; /* twice what runs at a time in the larger register classes */
constexpr size_t EIGEN_SHARE = 4; /* one part in so many of the memory is for the eigenvalue problems */

mm_status upload_batch_ends(struct mm_cuda_worker *worker, struct mm_error *error)
{
    const struct mm_problem *problem = worker->problem;
    int64_t *ends = static_cast<int64_t *>(malloc(problem->batch_count * sizeof *ends));
    if (ends == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu batches", problem->batch_count);
    mm_protocol_find_ends(problem, ends);
    mm_status status = mm_device_copy(&worker->batch_ends, ends, problem->batch_count, error);
    free(ends);
    return status;
}

} // namespace

mm_status mm_cuda_worker_open(struct mm_cuda_worker *worker, int device, const struct mm_problem *problem,
                              const struct mm_sweep_ways *ways, const struct mm_cuda_libraries *libraries,
                              struct mm_error *error)
{
    int multiprocessors = 0, timed = 0;
    worker->problem = problem;
    worker->ways = ways;
    worker->device = device;
    MM_CUDA_CHECK(error, cudaSetDevice(device));
    MM_CUDA_CHECK(error, cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
    MM_CUDA_CHECK(error, cudaDeviceGetAttribute(&timed, cudaDevAttrKernelExecTimeout, device));
    worker->timed = timed != 0 ? static_cast<size_t>(multiprocessors) : 0;
    worker->resident = CHAINS_PER_MULTIPROCESSOR * static_cast<size_t>(multiprocessors);
    MM_CUDA_CHECK(error, cudaStreamCreateWithFlags(&worker->stream, cudaStreamNonBlocking));
    mm_status status = upload_batch_ends(worker, error);
    if (status == MM_OK && ways != nullptr)
        status = mm_device_ways_create(&worker->device_ways, ways, error);
    return status == MM_OK ? mm_eigen_open(&worker->eigen, libraries, worker->stream, error) : status;
}

void mm_cuda_worker_share(struct mm_cuda_worker *worker, size_t bytes)
{
    mm_device_memory_free(&worker->eigen.memory);
    mm_device_memory_free(&worker->memory);
    worker->eigen.memory.limit = bytes / EIGEN_SHARE;
    worker->memory.limit = bytes - bytes / EIGEN_SHARE;
}

/* What a device says while it is closed cannot be acted on. */
void mm_cuda_worker_close(struct mm_cuda_worker *worker)
{
    (void)cudaSetDevice(worker->device);
    if (worker->eigen.libraries != nullptr)
        mm_eigen_close(&worker->eigen);
    mm_sort_scratch_free(&worker->scratch);
    mm_device_memory_free(&worker->memory);
    (void)cudaFree(worker->batch_ends);
    mm_device_ways_free(&worker->device_ways);
    if (worker->stream != nullptr)
        (void)cudaStreamDestroy(worker->stream);
    *worker = {};
}

size_t mm_cuda_worker_capacity(const struct mm_cuda_worker *worker)
{
    struct mm_chain_class size = mm_chain_class_first(worker->problem);
    struct mm_chain_plan plan;
    size.bands = mm_class_bands(MM_TILE_BANDS_MAX, size.columns);
    mm_status status = mm_chain_plan_make(&plan, worker->problem, size, {worker->ways, false}, INT_MAX, INT_MAX,
                                          worker->memory.limit, nullptr);
    return status == MM_OK ? static_cast<size_t>(plan.rows) : 1;
}

/* --------------------------------------------------------------------------------------------- a batch */

size_t mm_cuda_worker_rows(const struct mm_cuda_worker *worker, struct mm_chain_class size, int64_t collisions,
                           size_t count)
{
    const size_t most = worker->timed * mm_chain_class_rows(size, collisions);
    return worker->timed == 0 || count < most ? count : most;
}

mm_status mm_cuda_worker_reserve(struct mm_cuda_worker *worker, const size_t *wanted, struct mm_error *error)
{
    mm_status status = mm_device_memory_reserve(&worker->memory, wanted, error);
    if (status == MM_OK)
        status = mm_device_memory_stage(&worker->memory, MM_ARRAY_INPUT, wanted[MM_ARRAY_INPUT], error);
    if (status == MM_OK)
        status = mm_device_memory_stage(&worker->memory, MM_ARRAY_ORDER, wanted[MM_ARRAY_ORDER], error);
    return status;
}

struct mm_chain_batch mm_cuda_worker_batch(const struct mm_cuda_worker *worker, const struct mm_chain_plan &plan)
{
    const struct mm_problem *problem = worker->problem;
    const struct mm_device_memory &memory = worker->memory;
    struct mm_chain_batch batch = {};
    batch.problem.levels = problem->levels == MM_LEVELS_AUTO ? MM_LEVELS_MAX : problem->levels;
    batch.problem.protocol = {static_cast<int>(problem->batch_count), worker->batch_ends};
    batch.problem.tail = mm_problem_tail(problem);
    batch.problem.derivative = plan.gradient;
    batch.chains = mm_on_device<struct mm_device_chain>(memory, MM_ARRAY_INPUT);
    batch.qubits = reinterpret_cast<const struct mm_qubit *>(batch.chains + plan.rows);
    batch.state = mm_on_device<double>(memory, MM_ARRAY_STATES);
    batch.tail_signs = mm_on_device<int8_t>(memory, MM_ARRAY_TAIL_SIGNS);
    batch.scratch = mm_on_device<double>(memory, MM_ARRAY_SCRATCH);
    batch.columns = plan.size.columns;
    batch.bands = plan.size.bands;
    if (!plan.gradient)
        return batch;
    batch.adjoint = mm_on_device<double>(memory, MM_ARRAY_ADJOINTS);
    batch.derivatives = mm_on_device<double>(memory, MM_ARRAY_DERIVATIVES);
    batch.few = mm_on_device<struct mm_few_sums>(memory, MM_ARRAY_FEW_SUMS);
    batch.by_instability = mm_on_device<double>(memory, MM_ARRAY_BY_INSTABILITY);
    batch.ways = worker->device_ways.table;
    batch.segment = mm_on_device<double>(memory, MM_ARRAY_SEGMENTS);
    batch.windows = mm_on_device<struct mm_window>(memory, MM_ARRAY_WINDOWS);
    batch.segment_states = plan.segment_states;
    batch.segment_length = plan.segment_length;
    return batch;
}

void mm_cuda_worker_stage_point(struct mm_cuda_worker *worker, const struct mm_chain_plan &plan, int row,
                                const struct mm_point *point, enum mm_sweep_way way)
{
    const struct mm_problem *problem = worker->problem;
    struct mm_device_chain *chains = mm_staged<struct mm_device_chain>(worker->memory, MM_ARRAY_INPUT);
    struct mm_qubit *qubit =
        reinterpret_cast<struct mm_qubit *>(chains + plan.rows) + static_cast<size_t>(row) * problem->batch_count;
    chains[row] = {};
    chains[row].g = point->g;
    chains[row].band_tolerance = mm_point_band_tolerance(problem, point);
    chains[row].way = way;
    mm_protocol_qubits(problem, point->parameters, qubit);
}

mm_status mm_cuda_worker_begin(struct mm_cuda_worker *worker, const struct mm_chain_plan &plan,
                               const struct mm_chain_batch &batch, struct mm_error *error)
{
    const size_t rows = static_cast<size_t>(plan.rows);
    const size_t input =
        rows * (sizeof(struct mm_device_chain) + worker->problem->batch_count * sizeof(struct mm_qubit));
    int *order = mm_staged<int>(worker->memory, MM_ARRAY_ORDER);
    for (int row = 0; row < plan.rows; row++)
        order[row] = row;
    MM_CUDA_CHECK(error, cudaMemcpyAsync(batch.chains, mm_staged<void>(worker->memory, MM_ARRAY_INPUT), input,
                                         cudaMemcpyHostToDevice, worker->stream));
    MM_CUDA_CHECK(error, cudaMemcpyAsync(mm_on_device<int>(worker->memory, MM_ARRAY_ORDER), order,
                                         rows * sizeof(int), cudaMemcpyHostToDevice, worker->stream));
    return mm_cuda_start(batch, plan.rows, mm_on_device<int>(worker->memory, MM_ARRAY_ORDER), worker->stream,
                         error);
}

mm_status mm_cuda_worker_download(struct mm_cuda_worker *worker, enum mm_array array, size_t bytes,
                                  struct mm_error *error)
{
    return mm_device_memory_download(&worker->memory, array, bytes, worker->stream, error);
}
