/* memory.cu - arrays on a device that grow and stay, under a limit, and their pinned twins on the host. */
#include "device/memory.cuh"

#include "device/check.cuh"

namespace
{

void release(struct mm_device_memory *memory, int array)
{
    /* a device that failed has said so before; nothing is left to be done about memory it does not take back */
    (void)cudaFree(memory->arrays[array].device);
    memory->used -= memory->arrays[array].bytes;
    memory->arrays[array].device = nullptr;
    memory->arrays[array].bytes = 0;
}

mm_status allocate(struct mm_device_memory *memory, int array, size_t bytes, struct mm_error *error)
{
    cudaError_t outcome = cudaMalloc(&memory->arrays[array].device, bytes);
    if (outcome == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return mm_fail(error, MM_ERROR_DEVICE,
                       "the CUDA device has no %zu bytes more, beside the %zu in use here; fewer slots need less",
                       bytes, memory->used);
    }
    MM_CUDA_CHECK_OUTCOME(error, outcome, "cudaMalloc");
    memory->arrays[array].bytes = bytes;
    memory->used += bytes;
    return MM_OK;
}

/* Bytes held once everything wanted is there and nothing was given back that is large enough. */
size_t bytes_after(const struct mm_device_memory *memory, const size_t *wanted)
{
    size_t total = 0;
    for (int array = 0; array < MM_ARRAY_COUNT; array++)
        total += memory->arrays[array].bytes > wanted[array] ? memory->arrays[array].bytes : wanted[array];
    return total;
}

size_t bytes_wanted(const size_t *wanted)
{
    size_t total = 0;
    for (int array = 0; array < MM_ARRAY_COUNT; array++)
        total += wanted[array];
    return total;
}

} // namespace

mm_status mm_device_memory_reserve(struct mm_device_memory *memory, const size_t *wanted, struct mm_error *error)
{
    if (bytes_wanted(wanted) > memory->limit)
        return mm_fail(error, MM_ERROR_DEVICE, "%zu bytes of device memory are needed, %zu may be used",
                       bytes_wanted(wanted), memory->limit);
    const bool tight = bytes_after(memory, wanted) > memory->limit;
    for (int array = 0; array < MM_ARRAY_COUNT; array++)
        if (memory->arrays[array].bytes < wanted[array] || tight)
            release(memory, array);
    for (int array = 0; array < MM_ARRAY_COUNT; array++) {
        if (wanted[array] <= memory->arrays[array].bytes)
            continue;
        mm_status status = allocate(memory, array, wanted[array], error);
        if (status != MM_OK)
            return status;
    }
    return MM_OK;
}

mm_status mm_device_memory_stage(struct mm_device_memory *memory, enum mm_array array, size_t bytes,
                                 struct mm_error *error)
{
    auto &staging = memory->staging[array];
    if (bytes <= staging.bytes)
        return MM_OK;
    void *smaller = staging.pinned;
    staging.pinned = nullptr;
    staging.bytes = 0;
    MM_CUDA_CHECK(error, cudaFreeHost(smaller));
    MM_CUDA_CHECK(error, cudaMallocHost(&staging.pinned, bytes));
    staging.bytes = bytes;
    return MM_OK;
}

mm_status mm_device_memory_download(struct mm_device_memory *memory, enum mm_array array, size_t bytes,
                                    cudaStream_t stream, struct mm_error *error)
{
    mm_status status = mm_device_memory_stage(memory, array, bytes, error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaMemcpyAsync(memory->staging[array].pinned, memory->arrays[array].device, bytes,
                                         cudaMemcpyDeviceToHost, stream));
    return MM_OK;
}

void mm_device_memory_free(struct mm_device_memory *memory)
{
    for (int array = 0; array < MM_ARRAY_COUNT; array++) {
        release(memory, array);
        (void)cudaFreeHost(memory->staging[array].pinned);
        memory->staging[array].pinned = nullptr;
        memory->staging[array].bytes = 0;
    }
}

mm_status mm_device_copy_bytes(void **copy, const void *data, size_t bytes, struct mm_error *error)
{
    *copy = nullptr;
    if (bytes == 0)
        return MM_OK;
    MM_CUDA_CHECK(error, cudaMalloc(copy, bytes));
    MM_CUDA_CHECK(error, cudaMemcpy(*copy, data, bytes, cudaMemcpyHostToDevice));
    /* From memory that is not pinned a copy may still be on its way, and non-blocking streams do not wait for it.
     */
    MM_CUDA_CHECK(error, cudaStreamSynchronize(nullptr));
    return MM_OK;
}
