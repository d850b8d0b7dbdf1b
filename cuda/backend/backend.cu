/* backend.cu - the cuda backend: chains shared out to the workers of every device.
 *
 * Each device has two workers with a stream each, so that one half of the chains propagates while the eigenvalue
 * problems of the other half are solved. A worker is driven by a thread of its own. In a search every worker goes
 * through its part of the chains at its own pace: what the host does for some, and the few chains that have to be
 * run again, happen beside the runs of others.
 */
#include "backend/backend.cuh"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <omp.h>

#include "kernels/density.cuh"
#include "device/check.cuh"
#include "backend/host.cuh"
#include "backend/worker.cuh"
#include "wigner/wigner.cuh"

namespace
{

constexpr int WORKERS_PER_DEVICE = 2;
constexpr int DEVICES_MAX = 16;            /* that one process works on */
constexpr int DEVICES_LISTED = 64;         /* that are looked at, of which processes may take their parts */
constexpr size_t ITEMS_MOST = 2048;        /* points that a worker takes at a time: some times what runs at once */
constexpr size_t POINTS_PER_WORKER = 4096; /* points of a call that keep a worker busy to the end */
constexpr double MEMORY_SHARE = 0.9;       /* of what is free on a device */
constexpr double CONTEXT_BYTES = 1 << 29;  /* what a process holds of a device before it asks for anything */

struct cuda_backend {
    const struct mm_problem *problem;
    size_t free_batches;
    struct mm_sweep_ways ways; /* if there are free batches */
    struct mm_cuda_libraries libraries;
    int device_count; /* devices in use */
    int worker_count;
    struct mm_cuda_worker workers[WORKERS_PER_DEVICE * DEVICES_MAX];
    size_t item_capacity;
    struct mm_cuda_item *items;     /* [item_capacity] */
    struct mm_chain_class *classes; /* [item_capacity]: where each point of the last call ended */
};

/* ------------------------------------------------------------------------------------ opening, closing */

constexpr char NO_CODE[] = "CUDA built in, but without code for this device: build it with CUDA_ARCHS=native";

/* A machine without a driver, or whose driver is older than the runtime built in, has no device for us. */
const char *reason_of(cudaError_t outcome)
{
    switch (outcome) {
    case cudaSuccess:
    case cudaErrorNoDevice:
        return "CUDA built in, no device";
    case cudaErrorInsufficientDriver:
        return "CUDA built in, no device: there is no driver, or it is too old for this program";
    case cudaErrorNoKernelImageForDevice:
        return NO_CODE;
    default:
        return cudaGetErrorString(outcome);
    }
}

/* Names a device, one of so many. */
void describe_devices(int device, int count, size_t size, char *text)
{
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) {
        (void)cudaGetLastError();
        snprintf(properties.name, sizeof properties.name, "a CUDA device");
    }
    snprintf(text, size, "%s, %d device%s", properties.name, count, count == 1 ? "" : "s");
}

/* Devices that chains may go to. */
struct device_list {
    int count;
    int devices[DEVICES_LISTED];
};

/* Whether a device gives the bits of the first one: the libraries promise it where the architecture and the number
 * of multiprocessors are the same. */
mm_status compare_with_first(int device, bool *alike, struct mm_error *error)
{
    constexpr cudaDeviceAttr KIND[] = {cudaDevAttrComputeCapabilityMajor, cudaDevAttrComputeCapabilityMinor,
                                       cudaDevAttrMultiProcessorCount};
    *alike = true;
    for (const cudaDeviceAttr attribute : KIND) {
        int first = 0, own = 0;
        MM_CUDA_CHECK(error, cudaDeviceGetAttribute(&first, attribute, 0));
        MM_CUDA_CHECK(error, cudaDeviceGetAttribute(&own, attribute, device));
        *alike = *alike && own == first;
    }
    return MM_OK;
}

/* Of the devices there those that are like the first one: which of them a chain goes to depends on how fast the
 * others are, and must not show in it. */
mm_status list_devices(int there, struct device_list *list, struct mm_error *error)
{
    list->count = 0;
    for (int device = 0; device < there && list->count < DEVICES_LISTED; device++) {
        bool alike = true;
        mm_status status = device == 0 ? MM_OK : compare_with_first(device, &alike, error);
        if (status != MM_OK)
            return status;
        if (alike)
            list->devices[list->count++] = device;
    }
    return MM_OK;
}

bool cuda_available(size_t size, char *text)
{
    struct mm_cuda_libraries libraries;
    struct device_list list;
    struct mm_error error = {};
    const char *reason = nullptr;
    int count = 0;
    cudaError_t outcome = cudaGetDeviceCount(&count);
    if (outcome == cudaSuccess && count > 0)
        outcome = mm_cuda_code();
    if (outcome != cudaSuccess || count == 0) {
        (void)cudaGetLastError();
        reason = reason_of(outcome);
    } else if (list_devices(count, &list, &error) != MM_OK) {
        reason = error.message;
    } else if (mm_cuda_libraries_find(&libraries, &reason)) {
        describe_devices(0, list.count, size, text);
        return true;
    }
    snprintf(text, size, "%s", reason);
    return false;
}

void cuda_close(void *state)
{
    struct cuda_backend *cuda = static_cast<struct cuda_backend *>(state);
    for (int i = 0; i < cuda->worker_count; i++)
        mm_cuda_worker_close(&cuda->workers[i]);
    mm_sweep_ways_free(&cuda->ways);
    free(cuda->items);
    free(cuda->classes);
    free(cuda);
}

/* Which processes of a run on this machine work on a device. */
struct device_share {
    int processes; /* that use the device */
    bool ours;     /* this one does */
};

/* Fewer processes than devices: each takes every so many-th device; more: they share them in turn.
 * @param device  its place in the list */
struct device_share share_device(int device, int device_count, const struct mm_solver_options *options)
{
    const int processes = options->host_count > 1 ? options->host_count : 1;
    if (processes <= device_count)
        return {1, device % processes == options->host_index};
    return {processes / device_count + (device < processes % device_count),
            options->host_index % device_count == device};
}

/* Names the device in a failure of its own; returns the status. */
mm_status of_device(int device, mm_status status, const struct mm_error *own, struct mm_error *error)
{
    if (status == MM_ERROR_DEVICE)
        return mm_fail(error, status, "CUDA device %d: %s", device, own->message);
    if (status != MM_OK && error != nullptr)
        *error = *own;
    return status;
}

/* Opens the workers of a device, and divides what is free then.
 * @param processes  that do the same on this device */
mm_status open_device(struct cuda_backend *cuda, int device, int processes, const struct mm_solver_options *options,
                      struct mm_error *error)
{
    struct mm_cuda_worker *workers = &cuda->workers[cuda->worker_count];
    const struct mm_sweep_ways *ways = cuda->free_batches > 0 ? &cuda->ways : nullptr;
    size_t free_bytes = 0, total_bytes = 0;
    MM_CUDA_CHECK(error, cudaSetDevice(device));
    const cudaError_t code = mm_cuda_code();
    if (code == cudaErrorNoKernelImageForDevice)
        return mm_fail(error, MM_ERROR_BACKEND, "CUDA device %d: %s", device, NO_CODE);
    MM_CUDA_CHECK_OUTCOME(error, code, "cudaFuncGetAttributes");
    for (int i = 0; i < WORKERS_PER_DEVICE; i++) {
        cuda->worker_count++;
        mm_status status = mm_cuda_worker_open(&workers[i], device, cuda->problem, ways, &cuda->libraries, error);
        if (status != MM_OK)
            return status;
        workers[i].eigen.check = options->check_eigen;
        workers[i].eigen.method = options->eigen_method;
    }
    MM_CUDA_CHECK(error, cudaMemGetInfo(&free_bytes, &total_bytes));
    const size_t share = mm_cuda_memory_share(total_bytes, free_bytes, processes) / WORKERS_PER_DEVICE;
    for (int i = 0; i < WORKERS_PER_DEVICE; i++)
        mm_cuda_worker_share(&workers[i], share);
    return MM_OK;
}

mm_status open_devices(struct cuda_backend *cuda, const struct mm_solver_options *options, struct mm_error *error)
{
    const char *reason;
    struct device_list list;
    int there = 0;
    MM_CUDA_CHECK(error, cudaGetDeviceCount(&there));
    if (!mm_cuda_libraries_find(&cuda->libraries, &reason))
        return mm_fail(error, MM_ERROR_BACKEND, "%s", reason);
    mm_status status = list_devices(there, &list, error);
    for (int i = 0; i < list.count && cuda->device_count < DEVICES_MAX && status == MM_OK; i++) {
        const struct device_share share = share_device(i, list.count, options);
        const int device = list.devices[i];
        struct mm_error own = {};
        if (!share.ours)
            continue;
        cuda->device_count++;
        status = of_device(device, open_device(cuda, device, share.processes, options, &own), &own, error);
    }
    return status;
}

mm_status cuda_open(void **state, const struct mm_problem *problem, const struct mm_solver_options *options,
                    struct mm_error *error)
{
    struct cuda_backend *cuda = static_cast<struct cuda_backend *>(calloc(1, sizeof *cuda));
    if (cuda == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the cuda backend");
    cuda->problem = problem;
    cuda->free_batches = mm_problem_free_batches(problem);
    mm_status status = MM_OK;
    if (cuda->free_batches > 0)
        status = mm_sweep_ways_create(&cuda->ways, problem, error);
    if (status == MM_OK)
        status = open_devices(cuda, options, error);
    if (status != MM_OK) {
        cuda_close(cuda);
        return status;
    }
    *state = cuda;
    return MM_OK;
}

void cuda_device(const void *state, size_t size, char *text)
{
    const struct cuda_backend *cuda = static_cast<const struct cuda_backend *>(state);
    describe_devices(cuda->workers[0].device, cuda->device_count, size, text);
    const size_t length = strlen(text);
    if (cuda->workers[0].eigen.method == MM_EIGEN_TRIDIAGONAL)
        snprintf(text + length, size - length, ", tridiagonal eigenvalue solver");
}

size_t cuda_preferred_points(const void *state)
{
    const struct cuda_backend *cuda = static_cast<const struct cuda_backend *>(state);
    size_t points = 0;
    for (int i = 0; i < cuda->worker_count; i++) {
        const size_t capacity = mm_cuda_worker_capacity(&cuda->workers[i]);
        points += capacity < POINTS_PER_WORKER ? capacity : POINTS_PER_WORKER;
    }
    return points;
}

/* ------------------------------------------------------------------------------------------ evaluating */

/* Room for the items of a call; points that were in no earlier call begin in the first class. */
mm_status reserve_items(struct cuda_backend *cuda, size_t count, struct mm_error *error)
{
    if (count <= cuda->item_capacity)
        return MM_OK;
    void *items = realloc(cuda->items, count * sizeof *cuda->items);
    if (items != nullptr)
        cuda->items = static_cast<struct mm_cuda_item *>(items);
    void *classes = realloc(cuda->classes, count * sizeof *cuda->classes);
    if (classes != nullptr)
        cuda->classes = static_cast<struct mm_chain_class *>(classes);
    if (items == nullptr || classes == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu points", count);
    for (size_t i = cuda->item_capacity; i < count; i++)
        cuda->classes[i] = mm_chain_class_first(cuda->problem);
    cuda->item_capacity = count;
    return MM_OK;
}

int compare_items(const void *a, const void *b)
{
    const struct mm_cuda_item *left = static_cast<const struct mm_cuda_item *>(a);
    const struct mm_cuda_item *right = static_cast<const struct mm_cuda_item *>(b);
    if (mm_chain_class_before(left->size, right->size) || mm_chain_class_before(right->size, left->size))
        return mm_chain_class_before(left->size, right->size) ? -1 : 1;
    return (left->point > right->point) - (left->point < right->point);
}

/* Points that a worker takes at a time, of so many in all. */
size_t portion_of(const struct cuda_backend *cuda, size_t count)
{
    const size_t workers = static_cast<size_t>(cuda->worker_count), each = (count + workers - 1) / workers;
    return each < ITEMS_MOST ? each : ITEMS_MOST;
}

/* A point on its way; it begins in the class where it ended last. */
struct mm_cuda_item begin_item(const struct cuda_backend *cuda, size_t point)
{
    struct mm_cuda_item item = {};
    item.point = point;
    item.size = cuda->classes[point];
    return item;
}

/* Shares out the sorted items in portions; every worker takes the next one when it is done with its last. What is
 * computed for a point does not depend on the portions. */
mm_status share_out(struct cuda_backend *cuda, const struct mm_cuda_job &job, size_t count, struct mm_error *error)
{
    const size_t portion = portion_of(cuda, count);
    mm_status worst = MM_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(cuda->worker_count)
    for (size_t begin = 0; begin < count; begin += portion) {
        struct mm_error own = {};
        mm_status status;
#pragma omp atomic read
        status = worst;
        if (status != MM_OK)
            continue;
        const size_t size = count - begin < portion ? count - begin : portion;
        struct mm_cuda_worker *worker = &cuda->workers[omp_get_thread_num()];
        status = mm_cuda_worker_evaluate(worker, job, size, cuda->items + begin, &own);
        if (status == MM_OK)
            continue;
#pragma omp critical(mm_cuda_evaluate_failed)
        {
#pragma omp atomic write
            worst = of_device(worker->device, status, &own, error);
        }
    }
    return worst;
}

mm_status cuda_evaluate(void *state, size_t count, const struct mm_point *points, struct mm_evaluation *evaluations,
                        struct mm_channel_gradient *gradients, struct mm_error *error)
{
    struct cuda_backend *cuda = static_cast<struct cuda_backend *>(state);
    if (count == 0)
        return MM_OK;
    const struct mm_cuda_job job = {points, evaluations, gradients, cuda->free_batches};
    mm_status status = reserve_items(cuda, count, error);
    if (status != MM_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        cuda->items[i] = begin_item(cuda, i);
    qsort(cuda->items, count, sizeof *cuda->items, compare_items);
    status = share_out(cuda, job, count, error);
    for (size_t i = 0; status == MM_OK && i < count; i++)
        cuda->classes[cuda->items[i].point] = cuda->items[i].size;
    return status;
}

/* What one worker does for a work queue.
 * @param slots, items  [portion], its own */
void evaluate_queue(struct cuda_backend *cuda, struct mm_cuda_worker *worker, struct mm_shared_queue *queue,
                    size_t portion, size_t *slots, struct mm_cuda_item *items)
{
    const struct mm_work_queue *work = queue->work;
    const struct mm_cuda_job job = {work->points, work->evaluations, work->gradients, cuda->free_batches};
    for (size_t count; (count = mm_shared_queue_take(queue, portion, slots)) > 0;) {
        struct mm_error own = {}, error = {};
        for (size_t i = 0; i < count; i++)
            items[i] = begin_item(cuda, slots[i]);
        mm_status status =
            of_device(worker->device, mm_cuda_worker_evaluate(worker, job, count, items, &own), &own, &error);
        for (size_t i = 0; status == MM_OK && i < count; i++)
            cuda->classes[items[i].point] = items[i].size;
        mm_shared_queue_give(queue, count, slots, status, &error);
    }
}

mm_status cuda_evaluate_work(void *state, const struct mm_work_queue *work, struct mm_error *error)
{
    struct cuda_backend *cuda = static_cast<struct cuda_backend *>(state);
    const size_t portion = portion_of(cuda, work->slot_count);
    const size_t places = portion * static_cast<size_t>(cuda->worker_count);
    struct mm_shared_queue queue;
    size_t *slots = static_cast<size_t *>(calloc(places + 1, sizeof *slots));
    mm_status status = reserve_items(cuda, places > work->slot_count ? places : work->slot_count, error);
    if (status == MM_OK && slots == nullptr)
        status = mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu points", places);
    if (status == MM_OK)
        status = mm_shared_queue_open(&queue, work, error);
    if (status == MM_OK) {
#pragma omp parallel for schedule(static, 1) num_threads(cuda->worker_count)
        for (int w = 0; w < cuda->worker_count; w++) {
            const size_t begin = static_cast<size_t>(w) * portion;
            evaluate_queue(cuda, &cuda->workers[w], &queue, portion, slots + begin, cuda->items + begin);
        }
        status = mm_shared_queue_close(&queue, error);
    }
    free(slots);
    return status;
}

mm_status cuda_evolve(void *state, const struct mm_point *point, int64_t collisions, double *energies,
                      struct mm_state *result, struct mm_error *error)
{
    struct cuda_backend *cuda = static_cast<struct cuda_backend *>(state);
    struct mm_cuda_worker *worker = &cuda->workers[0];
    struct mm_error own = {};
    return of_device(worker->device, mm_cuda_worker_evolve(worker, point, collisions, energies, result, &own), &own,
                     error);
}

/* Shares the states out to all workers. */
mm_status cuda_evolve_drawn(void *state, size_t count, int64_t collisions, const struct mm_drawn_collision *drawn,
                            struct mm_state *states, struct mm_error *error)
{
    struct cuda_backend *cuda = static_cast<struct cuda_backend *>(state);
    const size_t workers = static_cast<size_t>(cuda->worker_count);
    mm_status worst = MM_OK;
#pragma omp parallel for schedule(static, 1) num_threads(cuda->worker_count)
    for (size_t w = 0; w < workers; w++) {
        const size_t begin = count * w / workers, end = count * (w + 1) / workers;
        struct mm_error own = {};
        mm_status status =
            mm_cuda_worker_evolve_drawn(&cuda->workers[w], end - begin, collisions,
                                        drawn + begin * static_cast<size_t>(collisions), states + begin, &own);
        if (status == MM_OK)
            continue;
#pragma omp critical(mm_cuda_evolve_failed)
        {
            worst = of_device(cuda->workers[w].device, status, &own, error);
        }
    }
    return worst;
}

/* Sum of a counter over the workers. */
size_t sum_of(const void *state, size_t mm_cuda_worker::*counter)
{
    const struct cuda_backend *cuda = static_cast<const struct cuda_backend *>(state);
    size_t sum = 0;
    for (int i = 0; i < cuda->worker_count; i++)
        sum += cuda->workers[i].*counter;
    return sum;
}

} // namespace

size_t mm_cuda_memory_share(size_t total, size_t free, int processes)
{
    double available = static_cast<double>(free);
    if (processes > 1) { /* of all, because the others may have taken their part already */
        const double part = static_cast<double>(total) / processes;
        available = fmin(fmax(part - CONTEXT_BYTES, part / 4), available);
    }
    return static_cast<size_t>(MEMORY_SHARE * available);
}

size_t mm_cuda_eigen_failures(const void *state)
{
    return sum_of(state, &mm_cuda_worker::eigen_failures);
}

size_t mm_cuda_gradients_summed_again(const void *state)
{
    return sum_of(state, &mm_cuda_worker::summed_again);
}

void mm_cuda_limit_memory(void *state, size_t bytes)
{
    struct cuda_backend *cuda = static_cast<struct cuda_backend *>(state);
    for (int i = 0; i < cuda->worker_count; i++)
        mm_cuda_worker_share(&cuda->workers[i], bytes);
}

void mm_cuda_measure(void *state)
{
    struct cuda_backend *cuda = static_cast<struct cuda_backend *>(state);
    for (int i = 1; i < cuda->worker_count; i++)
        mm_cuda_worker_close(&cuda->workers[i]);
    cuda->worker_count = 1;
    cuda->workers[0].times = {true, 0.0, {}};
}

struct mm_cuda_times mm_cuda_measured(const void *state)
{
    return static_cast<const struct cuda_backend *>(state)->workers[0].times;
}

extern "C" const struct mm_backend mm_backend_cuda = {
    "cuda",        {true, false},      cuda_available, cuda_open,         cuda_device, cuda_preferred_points,
    cuda_evaluate, cuda_evaluate_work, cuda_evolve,    cuda_evolve_drawn, cuda_close,  mm_cuda_wigner,
};
