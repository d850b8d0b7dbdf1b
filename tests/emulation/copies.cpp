/* copies.cpp - copies and fills, in the order of their streams.
 *
 * Of the freedom that CUDA has here the most is taken: memory of the host that is not pinned is read at the call,
 * but may reach the device after it returns, even from cudaMemcpy; pinned memory is read and written when its turn
 * comes.
 */
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "emulation/device.h"
#include "emulation/work_queue.h"

namespace
{

cudaError_t check_copy(const void *destination, const void *source, std::size_t bytes, cudaMemcpyKind kind)
{
    bool to_device = emulation_is_device_memory(destination, bytes);
    bool from_device = emulation_is_device_memory(source, bytes);
    /* A pointer to device memory with too few bytes behind it is no host memory either. */
    if ((!to_device && emulation_is_device_memory(destination, 0)) ||
        (!from_device && emulation_is_device_memory(source, 0)))
        return cudaErrorInvalidValue;
    switch (kind) {
    case cudaMemcpyHostToHost:
        return !to_device && !from_device ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyHostToDevice:
        return to_device && !from_device ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyDeviceToHost:
        return !to_device && from_device ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyDeviceToDevice:
        return to_device && from_device ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyDefault:
        return cudaSuccess;
    }
    return cudaErrorInvalidMemcpyDirection;
}

/* Opens the memory of a device, if the pointer is into one. */
std::unique_ptr<emulation_device_access> open_memory(const void *pointer)
{
    int device = emulation_device_of(pointer, 0);
    return device == emulation_no_device ? nullptr : std::make_unique<emulation_device_access>(device);
}

cudaError_t move(void *destination, const void *source, std::size_t bytes)
{
    std::unique_ptr<emulation_device_access> to = open_memory(destination), from = open_memory(source);
    std::memcpy(destination, source, bytes);
    return cudaSuccess;
}

cudaError_t fail_freed(std::size_t bytes)
{
    return emulation_ruin(cudaErrorIllegalAddress, "pinned memory was freed before a copy of " +
                                                       std::to_string(bytes) + " bytes from or to it was done");
}

/* The source is read now; when it reaches the device is open. */
cudaError_t copy_from_pageable(void *destination, const void *source, std::size_t bytes,
                               const std::shared_ptr<emulation_stream> &stream)
{
    const unsigned char *begin = static_cast<const unsigned char *>(source);
    std::vector<unsigned char> staged(begin, begin + bytes);
    return emulation_give(stream, [destination, bytes, staged = std::move(staged)] {
        return move(destination, staged.data(), bytes);
    });
}

cudaError_t copy_from_pinned(void *destination, const void *source, std::size_t bytes,
                             const std::shared_ptr<emulation_stream> &stream)
{
    emulation_count_reads(source, 1);
    return emulation_give(stream, [destination, source, bytes] {
        if (!emulation_is_pinned(source, bytes))
            return fail_freed(bytes);
        emulation_count_reads(source, -1);
        return move(destination, source, bytes);
    });
}

cudaError_t copy_to_pinned(void *destination, const void *source, std::size_t bytes,
                           const std::shared_ptr<emulation_stream> &stream)
{
    emulation_spoil_pinned(destination, bytes);
    return emulation_give(stream, [destination, source, bytes] {
        return emulation_is_pinned(destination, bytes) ? move(destination, source, bytes) : fail_freed(bytes);
    });
}

/* Gives a checked copy to its stream.
 * @param wait  whether the caller returns only when it is done, where CUDA says so of cudaMemcpy */
cudaError_t give_copy(void *destination, const void *source, std::size_t bytes,
                      const std::shared_ptr<emulation_stream> &stream, bool wait)
{
    bool to_device = emulation_is_device_memory(destination, bytes);
    bool from_device = emulation_is_device_memory(source, bytes);
    if (to_device && from_device)
        return emulation_give(stream, [=] { return move(destination, source, bytes); });
    if (to_device && !emulation_is_pinned(source, bytes))
        return copy_from_pageable(destination, source, bytes, stream);
    bool pinned = emulation_is_pinned(to_device ? source : destination, bytes);
    cudaError_t error = to_device ? copy_from_pinned(destination, source, bytes, stream)
                        : pinned  ? copy_to_pinned(destination, source, bytes, stream)
                                  : emulation_give(stream, [=] { return move(destination, source, bytes); });
    return error == cudaSuccess && (wait || !pinned) ? emulation_finish(emulation_last_given(stream)) : error;
}

cudaError_t copy(void *destination, const void *source, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream,
                 bool wait)
{
    std::shared_ptr<emulation_stream> found = emulation_find_stream(stream);
    if (found == nullptr)
        return cudaErrorInvalidResourceHandle;
    if (bytes == 0)
        return cudaSuccess;
    cudaError_t error = check_copy(destination, source, bytes, kind);
    return error != cudaSuccess ? error : give_copy(destination, source, bytes, found, wait);
}

cudaError_t fill(void *pointer, int value, std::size_t bytes, cudaStream_t stream)
{
    std::shared_ptr<emulation_stream> found = emulation_find_stream(stream);
    if (found == nullptr)
        return cudaErrorInvalidResourceHandle;
    if (bytes == 0)
        return cudaSuccess;
    if (!emulation_is_device_memory(pointer, bytes))
        return cudaErrorInvalidValue;
    return emulation_give(found, [=] {
        std::unique_ptr<emulation_device_access> access = open_memory(pointer);
        std::memset(pointer, value, bytes);
        return cudaSuccess;
    });
}

} // namespace

cudaError_t cudaMemcpy(void *destination, const void *source, std::size_t bytes, cudaMemcpyKind kind)
{
    return emulation_call([&] { return copy(destination, source, bytes, kind, nullptr, true); });
}

cudaError_t cudaMemcpyAsync(void *destination, const void *source, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    return emulation_call([&] { return copy(destination, source, bytes, kind, stream, false); });
}

cudaError_t cudaMemset(void *pointer, int value, std::size_t bytes)
{
    return cudaMemsetAsync(pointer, value, bytes, nullptr);
}

cudaError_t cudaMemsetAsync(void *pointer, int value, std::size_t bytes, cudaStream_t stream)
{
    return emulation_call([&] { return fill(pointer, value, bytes, stream); });
}

cudaError_t emulation_copy_to_symbol(void *symbol, std::size_t size, const void *source, std::size_t bytes,
                                     std::size_t offset, cudaMemcpyKind kind)
{
    return emulation_call([&] {
        if (offset > size || bytes > size - offset)
            return cudaErrorInvalidValue;
        bool from_device = emulation_is_device_memory(source, bytes);
        if (kind != (from_device ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice))
            return cudaErrorInvalidMemcpyDirection;
        unsigned char *begin = static_cast<unsigned char *>(symbol) + offset;
        std::shared_ptr<emulation_stream> stream = emulation_find_stream(nullptr);
        return from_device ? emulation_give(stream, [=] { return move(begin, source, bytes); })
                           : copy_from_pageable(begin, source, bytes, stream);
    });
}
