/* launch.cpp - launches: what a device would refuse, the blocks in the order of the schedule, kernel attributes. */
#include <algorithm>
#include <map>

#include "emulation/block.h"
#include "emulation/device.h"
#include "emulation/shared_memory.h"
#include "emulation/work_queue.h"

namespace
{

/* Largest dynamic shared memory that cudaFuncSetAttribute has allowed a kernel on a device. */
std::map<std::pair<int, const void *>, int> allowed_shared_bytes;

int allowed_shared(const void *kernel)
{
    auto found = allowed_shared_bytes.find({emulation_current_device(), kernel});
    return found == allowed_shared_bytes.end() ? emulation_shared_bytes : found->second;
}

bool within(dim3 sizes, unsigned int x, unsigned int y, unsigned int z)
{
    return sizes.x >= 1 && sizes.y >= 1 && sizes.z >= 1 && sizes.x <= x && sizes.y <= y && sizes.z <= z;
}

cudaError_t check_shape(const emulation_launch_shape &shape, const void *kernel)
{
    constexpr unsigned int most = emulation_block_threads;
    if (!within(shape.grid, 0x7fffffffU, 65535, 65535) || !within(shape.block, most, most, 64) ||
        shape.block.x * shape.block.y * shape.block.z > most)
        return cudaErrorInvalidConfiguration;
    if (shape.dynamic_shared_bytes > static_cast<std::size_t>(allowed_shared(kernel)))
        return cudaErrorInvalidValue;
    return emulation_find_own_stream(shape.stream) != nullptr ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

cudaError_t check_pointers(const emulation_launch_shape &shape, std::size_t count, const void *const *pointers)
{
    for (std::size_t i = 0; i < count; i++)
        if (!emulation_is_kernel_pointer(emulation_current_device(), pointers[i]))
            return emulation_ruin(cudaErrorIllegalAddress,
                                  std::string("kernel ") + shape.kernel_name + ": argument " + std::to_string(i) +
                                      " (counted from 0) points to memory that is not the device's");
    return cudaSuccess;
}

std::string block_name(uint3 index)
{
    return "block (" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) +
           ")";
}

cudaError_t run_blocks(const emulation_launch_shape &shape, const std::function<void()> &body)
{
    std::uint64_t count = std::uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z;
    emulation_shared_memory shared(shape.dynamic_shared_bytes);
    for (std::uint64_t number : emulation_block_order(count)) {
        uint3 index = {static_cast<unsigned int>(number % shape.grid.x),
                       static_cast<unsigned int>(number / shape.grid.x % shape.grid.y),
                       static_cast<unsigned int>(number / shape.grid.x / shape.grid.y)};
        shared.begin_block();
        std::string failure = emulation_block_run(shape.grid, shape.block, index, body);
        if (!failure.empty())
            return emulation_ruin(cudaErrorLaunchFailure, std::string("kernel ") + shape.kernel_name + ", " +
                                                              block_name(index) + ": " + failure);
    }
    return cudaSuccess;
}

} // namespace

void emulation_launch(const emulation_launch_shape &shape, const void *kernel, std::size_t pointer_count,
                      const void *const *pointers, const std::function<void()> &body)
{
    emulation_call([&] {
        cudaError_t error = check_shape(shape, kernel);
        if (error == cudaSuccess)
            error = check_pointers(shape, pointer_count, pointers);
        if (error != cudaSuccess)
            return error;
        return emulation_give_with_memory(shape.stream, [shape, body] { return run_blocks(shape, body); });
    });
}

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value)
{
    return emulation_call([&] {
        if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout)
            return value >= -1 && value <= 100 ? cudaSuccess : cudaErrorInvalidValue;
        if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
            value > emulation_shared_bytes_optin)
            return cudaErrorInvalidValue;
        allowed_shared_bytes[{emulation_current_device(), kernel}] = value;
        return cudaSuccess;
    });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *kernel)
{
    return emulation_call([&] {
        *attributes = cudaFuncAttributes{};
        attributes->maxThreadsPerBlock = emulation_block_threads;
        attributes->maxDynamicSharedSizeBytes = allowed_shared(kernel);
        return cudaSuccess;
    });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *kernel, int block_threads,
                                                          std::size_t dynamic_shared_bytes)
{
    return emulation_call([&] {
        if (block_threads < 1)
            return cudaErrorInvalidValue;
        if (block_threads > emulation_block_threads ||
            dynamic_shared_bytes > static_cast<std::size_t>(allowed_shared(kernel))) {
            *blocks = 0;
            return cudaSuccess;
        }
        int shared = static_cast<int>(dynamic_shared_bytes) + emulation_shared_bytes_reserved;
        *blocks = std::min({emulation_multiprocessor_blocks, emulation_multiprocessor_threads / block_threads,
                            emulation_shared_bytes_multiprocessor / shared});
        return cudaSuccess;
    });
}
