/* drawn.cu - many states through collisions that are given one by one on one worker.
 *
 * To the kernels every collision is a batch of one qubit. The coupling is that of a chain: where it varies, each
 * collision is a launch of its own, before which every chain gets the coupling of the next one.
 */
#include "backend/worker.cuh"

#include <algorithm>
#include <cstdlib>

#include "backend/band_state.cuh"
#include "device/check.cuh"
#include "kernels/propagate.cuh"

namespace
{

/* One state on its way. */
struct drawn_item {
    size_t state;
    struct mm_window window; /* of the state */
    struct mm_chain_class size;
    bool finished;
};

/* What all states have in common. */
struct drawn_job {
    struct mm_cuda_worker *worker;
    int64_t first; /* collisions that led to the states */
    size_t length; /* collisions to come */
    size_t launch; /* collisions of one launch: all of them, or one where the coupling varies */
    const struct mm_drawn_collision *drawn; /* [state][length] */
    struct mm_state *states;
};

/* Where the parts of MM_ARRAY_INPUT lie, on the device or in its pinned twin. */
struct drawn_input {
    struct mm_device_chain *chains; /* [row] */
    struct mm_qubit *qubits;        /* [launch number][row][collision of the launch] */
    double *couplings;              /* [collision][row] */
    int64_t *ends;                  /* [collision]: each is a batch of one qubit */
};

/* States of one class on the device. */
struct drawn_pass {
    const struct drawn_job *job;
    struct drawn_item *items; /* [plan.rows] */
    struct mm_chain_plan plan;
    struct mm_chain_batch batch;
};

__global__ void __launch_bounds__(MM_BLOCK_THREADS)
    set_couplings(struct mm_device_chain *chains, const double *couplings, int rows)
{
    const int row = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (row < rows)
        chains[row].g = couplings[row];
}

/* ----------------------------------------------------------------------------------------------- memory */

/* Bytes of the input that grow with the rows, beside the chains. */
size_t bytes_per_row(const struct drawn_job &job)
{
    return job.length * (sizeof(struct mm_qubit) + sizeof(double));
}

struct drawn_input divide_input(const struct drawn_job &job, size_t rows, void *base)
{
    struct drawn_input input;
    input.chains = static_cast<struct mm_device_chain *>(base);
    input.qubits = reinterpret_cast<struct mm_qubit *>(input.chains + rows);
    input.couplings = reinterpret_cast<double *>(input.qubits + rows * job.length);
    input.ends = reinterpret_cast<int64_t *>(input.couplings + rows * job.length);
    return input;
}

/* Arrays for at most `count` states of a class; at most half of the memory is for the collisions. */
mm_status prepare(struct drawn_pass *pass, struct mm_chain_class size, size_t count, struct mm_error *error)
{
    const struct drawn_job &job = *pass->job;
    struct mm_cuda_worker *worker = job.worker;
    const size_t limit = worker->memory.limit, ends = job.length * sizeof(int64_t);
    const size_t most = std::max<size_t>(limit / 2 / bytes_per_row(job), 1);
    const size_t alive = mm_cuda_worker_rows(worker, size, static_cast<int64_t>(job.launch), count);
    const size_t rows = std::min(alive, most), taken = rows * bytes_per_row(job) + ends;
    size_t wanted[MM_ARRAY_COUNT];
    mm_status status = mm_chain_plan_make(&pass->plan, worker->problem, size, {}, rows, 1,
                                          limit > taken ? limit - taken : 0, error);
    if (status != MM_OK)
        return status;
    const size_t fitting = static_cast<size_t>(pass->plan.rows);
    mm_chain_plan_arrays(&pass->plan, worker->problem, wanted);
    wanted[MM_ARRAY_INPUT] = fitting * (sizeof(struct mm_device_chain) + bytes_per_row(job)) + ends;
    status = mm_cuda_worker_reserve(worker, wanted, error);
    if (status == MM_OK)
        status = mm_device_memory_stage(&worker->memory, MM_ARRAY_STATES, wanted[MM_ARRAY_STATES], error);
    if (status != MM_OK)
        return status;
    pass->batch = mm_cuda_worker_batch(worker, pass->plan);
    const int64_t end = job.first + static_cast<int64_t>(job.length);
    pass->batch.problem.tail = {end, end}; /* there is no schedule, and no tail */
    return MM_OK;
}

/* --------------------------------------------------------------------------------------- there and back */

/* The chain of a state, as the kernels find it. */
struct mm_device_chain chain_of(const struct drawn_job &job, const struct drawn_item &item)
{
    const struct mm_state *state = &job.states[item.state];
    struct mm_device_chain chain = {};
    chain.g = job.drawn[item.state * job.length].g;
    chain.band_tolerance = job.worker->problem->band_tolerance;
    chain.collision = job.first;
    chain.window = item.window;
    chain.most_bands = item.window.bands;
    chain.band_error = state->band_error;
    chain.truncation_population = state->truncation_population;
    return chain;
}

/* Writes all rows into the staged arrays. */
void stage(const struct drawn_pass &pass)
{
    const struct drawn_job &job = *pass.job;
    const struct mm_device_memory &memory = job.worker->memory;
    const size_t rows = static_cast<size_t>(pass.plan.rows);
    const struct drawn_input input = divide_input(job, rows, mm_staged<void>(memory, MM_ARRAY_INPUT));
    for (size_t row = 0; row < rows; row++) {
        const struct drawn_item &item = pass.items[row];
        const struct mm_drawn_collision *drawn = &job.drawn[item.state * job.length];
        input.chains[row] = chain_of(job, item);
        mm_staged<int>(memory, MM_ARRAY_ORDER)[row] = static_cast<int>(row);
        mm_band_state_write(&job.states[item.state], item.window, pass.batch,
                            mm_staged<double>(memory, MM_ARRAY_STATES) + row * mm_batch_matrix(pass.batch));
        for (size_t i = 0; i < job.length; i++) {
            const size_t begin = i / job.launch * job.launch; /* of the launch */
            input.qubits[begin * rows + row * job.launch + (i - begin)] =
                mm_qubit_from_population(drawn[i].c, drawn[i].q);
            input.couplings[i * rows + row] = drawn[i].g;
        }
    }
    for (size_t i = 0; i < job.length; i++)
        input.ends[i] = job.first + static_cast<int64_t>(i) + 1;
}

mm_status upload(const struct drawn_pass &pass, struct mm_error *error)
{
    const struct drawn_job &job = *pass.job;
    const struct mm_device_memory &memory = job.worker->memory;
    const size_t rows = static_cast<size_t>(pass.plan.rows);
    const size_t input =
        rows * (sizeof(struct mm_device_chain) + bytes_per_row(job)) + job.length * sizeof(int64_t);
    const struct {
        enum mm_array array;
        size_t bytes;
    } parts[] = {{MM_ARRAY_INPUT, input},
                 {MM_ARRAY_ORDER, rows * sizeof(int)},
                 {MM_ARRAY_STATES, rows * mm_batch_matrix(pass.batch) * sizeof(double)}};
    for (const auto &part : parts)
        MM_CUDA_CHECK(error,
                      cudaMemcpyAsync(mm_on_device<void>(memory, part.array), mm_staged<void>(memory, part.array),
                                      part.bytes, cudaMemcpyHostToDevice, job.worker->stream));
    return MM_OK;
}

/* Takes the states that did not outgrow the class; the others go on to the next one. */
mm_status collect(const struct drawn_pass &pass, struct mm_error *error)
{
    const struct drawn_job &job = *pass.job;
    struct mm_cuda_worker *worker = job.worker;
    const size_t rows = static_cast<size_t>(pass.plan.rows), matrix = mm_batch_matrix(pass.batch);
    mm_status status =
        mm_cuda_worker_download(worker, MM_ARRAY_INPUT, rows * sizeof(struct mm_device_chain), error);
    if (status == MM_OK)
        status = mm_cuda_worker_download(worker, MM_ARRAY_STATES, rows * matrix * sizeof(double), error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaStreamSynchronize(worker->stream));
    const struct mm_device_chain *chains = mm_staged<struct mm_device_chain>(worker->memory, MM_ARRAY_INPUT);
    const double *states = mm_staged<double>(worker->memory, MM_ARRAY_STATES);
    for (size_t row = 0; row < rows && status == MM_OK; row++) {
        struct drawn_item *item = &pass.items[row];
        if (chains[row].overflow)
            item->size = mm_chain_class_next(pass.plan.size, chains[row].window);
        else
            status = mm_band_state_read(states + row * matrix, pass.batch, chains[row], worker->problem->levels,
                                        &job.states[item->state], error);
        item->finished = !chains[row].overflow;
    }
    return status;
}

/* ----------------------------------------------------------------------------------------------- passes */

/* Launch by launch through all collisions. */
mm_status propagate(const struct drawn_pass &pass, struct mm_error *error)
{
    const struct drawn_job &job = *pass.job;
    const struct mm_device_memory &memory = job.worker->memory;
    const size_t rows = static_cast<size_t>(pass.plan.rows);
    const struct drawn_input input = divide_input(job, rows, mm_on_device<void>(memory, MM_ARRAY_INPUT));
    const cudaStream_t stream = job.worker->stream;
    struct mm_chain_batch batch = pass.batch;
    mm_status status = MM_OK;
    batch.problem.protocol.batch_count = static_cast<int>(job.launch);
    for (size_t i = 0; i < job.length && status == MM_OK; i += job.launch) {
        const int64_t first = job.first + static_cast<int64_t>(i);
        if (i > 0)
            MM_CUDA_CHECK(error,
                          MM_LAUNCH(set_couplings, (unsigned)((rows + MM_BLOCK_THREADS - 1) / MM_BLOCK_THREADS),
                                    MM_BLOCK_THREADS, 0, stream, input.chains, input.couplings + i * rows,
                                    pass.plan.rows));
        batch.problem.protocol.ends = input.ends + i;
        batch.qubits = input.qubits + i * rows;
        status = mm_cuda_propagate(batch, pass.plan.rows, mm_on_device<int>(memory, MM_ARRAY_ORDER), first,
                                   first + static_cast<int64_t>(job.launch), false, stream, error);
    }
    return status;
}

/* As many of the first `count` items, all of one class, as there is room for; *taken becomes their number. */
mm_status run_pass(const struct drawn_job &job, struct drawn_item *items, size_t count, size_t *taken,
                   struct mm_error *error)
{
    struct drawn_pass pass = {&job, items, {}, {}};
    mm_status status = prepare(&pass, items[0].size, count, error);
    if (status != MM_OK)
        return status;
    *taken = static_cast<size_t>(pass.plan.rows);
    stage(pass);
    status = upload(pass, error);
    if (status == MM_OK)
        status = propagate(pass, error);
    return status == MM_OK ? collect(pass, error) : status;
}

/* Class by class until every state has arrived. */
mm_status run_items(const struct drawn_job &job, size_t count, struct drawn_item *items, struct mm_error *error)
{
    mm_status status = MM_OK;
    while (count > 0 && status == MM_OK) {
        std::sort(items, items + count, [](const drawn_item &a, const drawn_item &b) {
            return mm_chain_class_same(a.size, b.size) ? a.state < b.state : mm_chain_class_before(a.size, b.size);
        });
        size_t same = 1, taken = 0;
        while (same < count && mm_chain_class_same(items[same].size, items[0].size))
            same++;
        status = run_pass(job, items, same, &taken, error);
        count = static_cast<size_t>(
            std::remove_if(items, items + count, [](const drawn_item &item) { return item.finished; }) - items);
    }
    return status;
}

/* Whether the coupling of any state varies. */
bool coupling_varies(const struct drawn_job &job, size_t count)
{
    for (size_t s = 0; s < count; s++)
        for (size_t i = 1; i < job.length; i++)
            if (job.drawn[s * job.length + i].g != job.drawn[s * job.length].g)
                return true;
    return false;
}

} // namespace

mm_status mm_cuda_worker_evolve_drawn(struct mm_cuda_worker *worker, size_t count, int64_t collisions,
                                      const struct mm_drawn_collision *drawn, struct mm_state *states,
                                      struct mm_error *error)
{
    if (count == 0)
        return MM_OK;
    const struct mm_problem *problem = worker->problem;
    const int levels = problem->levels == MM_LEVELS_AUTO ? MM_LEVELS_MAX : problem->levels;
    struct drawn_job job = {worker, states[0].collisions, static_cast<size_t>(collisions), 0, drawn, states};
    job.launch = coupling_varies(job, count) ? 1 : job.length;
    struct drawn_item *items = static_cast<struct drawn_item *>(calloc(count, sizeof *items));
    if (items == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu states", count);
    for (size_t s = 0; s < count; s++) {
        const struct mm_window window = mm_band_state_window(&states[s], levels);
        items[s] = {s, window, mm_chain_class_own(problem, window), false};
    }
    const cudaError_t outcome = cudaSetDevice(worker->device);
    mm_status status = outcome == cudaSuccess
                           ? run_items(job, count, items, error)
                           : mm_device_failure(error, cudaGetErrorName(outcome), cudaGetErrorString(outcome),
                                               "cudaSetDevice(worker->device)");
    free(items);
    return status;
}
