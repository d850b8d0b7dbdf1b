/* device_memory.cpp - device memory as host memory that only kernels and copies may touch.
 *
 * Each allocation has pages of its own: one that nobody may touch, the slack before the allocation, the
 * allocation, aligned to 16 bytes, up to 15 bytes of slack, and another page that nobody may touch. Reading or
 * writing beyond the end faults at once; outside of kernels and copies so does any access. The slack holds the
 * pattern of unwritten memory, poisoned where AddressSanitizer runs, and is looked at when the memory is freed. */
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "emulation.h"
#include "shared_memory.h"

namespace
{

struct allocation {
    unsigned char *mapping; /* its first page is a guard */
    std::size_t mapping_size;
    unsigned char *pages; /* between the guards */
    std::size_t pages_size;
    unsigned char *begin; /* what the caller got */
    std::size_t size;
};

struct memory {
    std::map<const unsigned char *, allocation> device; /* by their beginning */
    std::map<const unsigned char *, std::size_t> pinned;
    std::size_t total = emulation_default_memory;
    std::size_t used = 0;
    int accesses = 0; /* how many want the device memory open */
};

memory state;

bool set_protection(const allocation &block, int protection)
{
    return mprotect(block.pages, block.pages_size, protection) == 0;
}

/* The system refuses only when it has no memory left for its own tables: nothing sensible can follow. */
void set_all_protections(int protection)
{
    for (const auto &[begin, block] : state.device)
        if (!set_protection(block, protection))
            std::abort();
}

bool make_allocation(std::size_t bytes, allocation *made)
{
    std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::size_t rounded = (bytes + 15) / 16 * 16;
    made->pages_size = (rounded + page - 1) / page * page;
    made->mapping_size = made->pages_size + 2 * page;
    void *mapping =
        mmap(nullptr, made->mapping_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return false;
    made->mapping = static_cast<unsigned char *>(mapping);
    made->pages = made->mapping + page;
    made->begin = made->pages + made->pages_size - rounded;
    made->size = bytes;
    if (!set_protection(*made, PROT_READ | PROT_WRITE)) {
        munmap(made->mapping, made->mapping_size);
        return false;
    }
    std::memset(made->pages, emulation_unwritten_byte, made->pages_size);
    ASAN_POISON_MEMORY_REGION(made->pages, made->pages_size);
    ASAN_UNPOISON_MEMORY_REGION(made->begin, made->size);
    return true;
}

bool is_unwritten(const unsigned char *begin, const unsigned char *end)
{
    return std::all_of(begin, end, [](unsigned char byte) { return byte == emulation_unwritten_byte; });
}

bool slack_is_unwritten(const allocation &block)
{
    ASAN_UNPOISON_MEMORY_REGION(block.pages, block.pages_size);
    return is_unwritten(block.pages, block.begin) &&
           is_unwritten(block.begin + block.size, block.pages + block.pages_size);
}

/* The allocation that holds the address or ends at it, NULL if there is none. */
template <typename Map> auto find_below(const Map &map, const unsigned char *address)
{
    auto above = map.upper_bound(address);
    return above == map.begin() ? map.end() : std::prev(above);
}

bool is_pinned_or_its_end(const unsigned char *address)
{
    auto found = find_below(state.pinned, address);
    return found != state.pinned.end() && address <= found->first + found->second;
}

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

cudaError_t copy(void *destination, const void *source, std::size_t bytes, cudaMemcpyKind kind)
{
    if (bytes == 0)
        return cudaSuccess;
    cudaError_t error = check_copy(destination, source, bytes, kind);
    if (error != cudaSuccess)
        return error;
    emulation_device_access access;
    std::memcpy(destination, source, bytes);
    return cudaSuccess;
}

cudaError_t fill(void *pointer, int value, std::size_t bytes)
{
    if (bytes == 0)
        return cudaSuccess;
    if (!emulation_is_device_memory(pointer, bytes))
        return cudaErrorInvalidValue;
    emulation_device_access access;
    std::memset(pointer, value, bytes);
    return cudaSuccess;
}

cudaError_t release(void *pointer)
{
    auto found = state.device.find(static_cast<const unsigned char *>(pointer));
    if (found == state.device.end())
        return cudaErrorInvalidDevicePointer;
    allocation block = found->second;
    bool intact = set_protection(block, PROT_READ) && slack_is_unwritten(block);
    munmap(block.mapping, block.mapping_size);
    state.used -= block.size;
    state.device.erase(found);
    if (!intact)
        return emulation_ruin(cudaErrorIllegalAddress, "a kernel wrote just outside an allocation of " +
                                                           std::to_string(block.size) + " bytes of device memory");
    return cudaSuccess;
}

} // namespace

/* ---------------------------------------------------------------------------------------------- who may touch it
 */

emulation_device_access::emulation_device_access()
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    if (state.accesses++ == 0)
        set_all_protections(PROT_READ | PROT_WRITE);
}

emulation_device_access::~emulation_device_access()
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    if (--state.accesses == 0)
        set_all_protections(PROT_NONE);
}

bool emulation_is_device_memory(const void *pointer, std::size_t bytes)
{
    const unsigned char *address = static_cast<const unsigned char *>(pointer);
    auto found = find_below(state.device, address);
    if (found == state.device.end())
        return false;
    const unsigned char *end = found->second.begin + found->second.size;
    return address <= end && bytes <= static_cast<std::size_t>(end - address);
}

bool emulation_is_kernel_pointer(const void *pointer)
{
    return pointer == nullptr || emulation_is_device_memory(pointer, 0) ||
           is_pinned_or_its_end(static_cast<const unsigned char *>(pointer));
}

std::size_t emulation_device_memory()
{
    return state.total;
}

void emulation_set_device_memory(std::size_t bytes)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    state.total = bytes;
}

std::size_t emulation_live_allocations()
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    return state.device.size() + state.pinned.size();
}

/* ------------------------------------------------------------------------------------------------ the runtime's */

cudaError_t cudaMalloc(void **pointer, std::size_t bytes)
{
    return emulation_call([&] {
        *pointer = nullptr;
        if (bytes == 0)
            return cudaSuccess;
        allocation block;
        if (state.used > state.total || bytes > state.total - state.used || !make_allocation(bytes, &block))
            return cudaErrorMemoryAllocation;
        if (state.accesses == 0 && !set_protection(block, PROT_NONE))
            std::abort();
        state.device.emplace(block.begin, block);
        state.used += bytes;
        *pointer = block.begin;
        return cudaSuccess;
    });
}

cudaError_t cudaFree(void *pointer)
{
    return emulation_release_call([&] { return pointer == nullptr ? cudaSuccess : release(pointer); });
}

cudaError_t cudaMallocHost(void **pointer, std::size_t bytes)
{
    return emulation_call([&] {
        *pointer = nullptr;
        if (bytes == 0)
            return cudaSuccess;
        void *block = std::malloc(bytes);
        if (block == nullptr)
            return cudaErrorMemoryAllocation;
        std::memset(block, emulation_unwritten_byte, bytes);
        state.pinned.emplace(static_cast<unsigned char *>(block), bytes);
        *pointer = block;
        return cudaSuccess;
    });
}

cudaError_t cudaFreeHost(void *pointer)
{
    return emulation_release_call([&] {
        if (pointer == nullptr)
            return cudaSuccess;
        if (state.pinned.erase(static_cast<const unsigned char *>(pointer)) == 0)
            return cudaErrorInvalidValue;
        std::free(pointer);
        return cudaSuccess;
    });
}

cudaError_t cudaMemcpy(void *destination, const void *source, std::size_t bytes, cudaMemcpyKind kind)
{
    return emulation_call([&] { return copy(destination, source, bytes, kind); });
}

cudaError_t cudaMemcpyAsync(void *destination, const void *source, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    return emulation_call([&] {
        return emulation_is_stream(stream) ? copy(destination, source, bytes, kind)
                                           : cudaErrorInvalidResourceHandle;
    });
}

cudaError_t cudaMemset(void *pointer, int value, std::size_t bytes)
{
    return emulation_call([&] { return fill(pointer, value, bytes); });
}

cudaError_t cudaMemsetAsync(void *pointer, int value, std::size_t bytes, cudaStream_t stream)
{
    return emulation_call(
        [&] { return emulation_is_stream(stream) ? fill(pointer, value, bytes) : cudaErrorInvalidResourceHandle; });
}

cudaError_t cudaMemGetInfo(std::size_t *free_bytes, std::size_t *total_bytes)
{
    return emulation_call([&] {
        *free_bytes = state.total - std::min(state.used, state.total);
        *total_bytes = state.total;
        return cudaSuccess;
    });
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
        emulation_device_access access;
        std::memcpy(static_cast<unsigned char *>(symbol) + offset, source, bytes);
        return cudaSuccess;
    });
}
