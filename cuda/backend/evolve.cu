/* evolve.cu - one state through any number of collisions on one worker. */
#include "backend/worker.cuh"

#include <algorithm>
#include <cstring>

#include "backend/band_state.cuh"
#include "device/check.cuh"
#include "kernels/propagate.cuh"

namespace
{

/* One chain alone. */
struct evolution {
    struct mm_cuda_worker *worker;
    const struct mm_state *start;
    struct mm_window window; /* of the start */
    int64_t end;             /* collisions that lead to the state wanted */
    struct mm_chain_plan plan;
    struct mm_chain_batch batch;
    struct mm_device_chain chain; /* of the present state, once downloaded */
};

double energy_of(const struct mm_state *state)
{
    double energy = 0.0;
    for (int n = 0; n < state->levels; n++)
        energy += n * state->density[static_cast<size_t>(n) * static_cast<size_t>(state->levels + 1)];
    return energy;
}

/* Arrays for one chain of a class; without a tail, since there is no schedule to end. */
mm_status prepare(struct evolution *evolution, struct mm_chain_class size, bool energies, struct mm_error *error)
{
    struct mm_cuda_worker *worker = evolution->worker;
    size_t wanted[MM_ARRAY_COUNT];
    mm_status status =
        mm_chain_plan_make(&evolution->plan, worker->problem, size, {}, 1, 1, worker->memory.limit, error);
    if (status != MM_OK)
        return status;
    mm_chain_plan_arrays(&evolution->plan, worker->problem, wanted);
    wanted[MM_ARRAY_ENERGIES] = energies ? MM_LAUNCH_COLLISIONS * sizeof(double) : 0;
    status = mm_cuda_worker_reserve(worker, wanted, error);
    if (status == MM_OK)
        status = mm_device_memory_stage(&worker->memory, MM_ARRAY_STATES, wanted[MM_ARRAY_STATES], error);
    if (status != MM_OK)
        return status;
    evolution->batch = mm_cuda_worker_batch(worker, evolution->plan);
    evolution->batch.problem.tail = {evolution->end, evolution->end};
    if (energies) {
        evolution->batch.energies = mm_on_device<double>(worker->memory, MM_ARRAY_ENERGIES);
        evolution->batch.energies_length = MM_LAUNCH_COLLISIONS;
    }
    return MM_OK;
}

mm_status download_chain(struct evolution *evolution, struct mm_error *error)
{
    struct mm_cuda_worker *worker = evolution->worker;
    mm_status status = mm_cuda_worker_download(worker, MM_ARRAY_INPUT, sizeof evolution->chain, error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaStreamSynchronize(worker->stream));
    evolution->chain = *mm_staged<struct mm_device_chain>(worker->memory, MM_ARRAY_INPUT);
    return MM_OK;
}

/* Puts the state given in the place of the vacuum. */
mm_status upload_start(struct evolution *evolution, struct mm_error *error)
{
    struct mm_cuda_worker *worker = evolution->worker;
    const struct mm_state *start = evolution->start;
    double *matrix = mm_staged<double>(worker->memory, MM_ARRAY_STATES);
    mm_band_state_write(start, evolution->window, evolution->batch, matrix);
    struct mm_device_chain *chain = mm_staged<struct mm_device_chain>(worker->memory, MM_ARRAY_INPUT);
    *chain = evolution->chain;
    chain->collision = start->collisions;
    chain->window = evolution->window;
    chain->most_bands = evolution->window.bands;
    chain->band_error = start->band_error;
    chain->truncation_population = start->truncation_population;
    MM_CUDA_CHECK(error, cudaMemcpyAsync(evolution->batch.state, matrix,
                                         mm_batch_matrix(evolution->batch) * sizeof *matrix, cudaMemcpyHostToDevice,
                                         worker->stream));
    MM_CUDA_CHECK(error, cudaMemcpyAsync(evolution->batch.chains, chain, sizeof *chain, cudaMemcpyHostToDevice,
                                         worker->stream));
    return download_chain(evolution, error);
}

/* From the start to the end, or to where the window outgrows the class. */
mm_status run(struct evolution *evolution, const struct mm_point *point, double *energies, struct mm_error *error)
{
    struct mm_cuda_worker *worker = evolution->worker;
    const int *order = mm_on_device<int>(worker->memory, MM_ARRAY_ORDER);
    const int64_t start = evolution->start->collisions, most = mm_chain_class_launch(evolution->plan.size);
    mm_cuda_worker_stage_point(worker, evolution->plan, 0, point, MM_SWEEP_EVERY);
    mm_status status = mm_cuda_worker_begin(worker, evolution->plan, evolution->batch, error);
    if (status == MM_OK)
        status = download_chain(evolution, error);
    if (status == MM_OK)
        status = upload_start(evolution, error);
    for (int64_t k = start; k < evolution->end && status == MM_OK && !evolution->chain.overflow; k += most) {
        const int64_t end = std::min(k + most, evolution->end);
        const size_t bytes = static_cast<size_t>(end - k) * sizeof(double);
        status = mm_cuda_propagate(evolution->batch, 1, order, k, end, false, worker->stream, error);
        if (status == MM_OK && energies != nullptr)
            status = mm_cuda_worker_download(worker, MM_ARRAY_ENERGIES, bytes, error);
        if (status == MM_OK)
            status = download_chain(evolution, error);
        if (status == MM_OK && energies != nullptr)
            memcpy(energies + (k - start) + 1, mm_staged<double>(worker->memory, MM_ARRAY_ENERGIES), bytes);
    }
    return status;
}

/* Replaces the state given by the chain's. */
mm_status take_state(struct evolution *evolution, struct mm_state *state, struct mm_error *error)
{
    struct mm_cuda_worker *worker = evolution->worker;
    mm_status status =
        mm_cuda_worker_download(worker, MM_ARRAY_STATES, mm_batch_matrix(evolution->batch) * sizeof(double), error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaStreamSynchronize(worker->stream));
    return mm_band_state_read(mm_staged<double>(worker->memory, MM_ARRAY_STATES), evolution->batch,
                              evolution->chain, worker->problem->levels, state, error);
}

} // namespace

mm_status mm_cuda_worker_evolve(struct mm_cuda_worker *worker, const struct mm_point *point, int64_t collisions,
                                double *energies, struct mm_state *state, struct mm_error *error)
{
    const struct mm_problem *problem = worker->problem;
    const int levels = problem->levels == MM_LEVELS_AUTO ? MM_LEVELS_MAX : problem->levels;
    struct evolution evolution = {
        worker, state, mm_band_state_window(state, levels), state->collisions + collisions, {}, {}, {}};
    struct mm_chain_class size = mm_chain_class_own(problem, evolution.window);
    MM_CUDA_CHECK(error, cudaSetDevice(worker->device));
    if (energies != nullptr)
        energies[0] = energy_of(state);
    for (;;) {
        mm_status status = prepare(&evolution, size, energies != nullptr, error);
        if (status == MM_OK)
            status = run(&evolution, point, energies, error);
        if (status != MM_OK)
            return status;
        if (!evolution.chain.overflow)
            return take_state(&evolution, state, error);
        size = mm_chain_class_next(size, evolution.chain.window);
    }
}
