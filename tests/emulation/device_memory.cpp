/* device_memory.cpp - device memory as host memory that only kernels and copies may touch.
 *
 * Each allocation has pages of its own: one that nobody may touch, the slack before the allocation, the
 * allocation, aligned to 16 bytes, up to 15 bytes of slack, and another page that nobody may touch. Reading or
 * writing beyond the end faults at once; outside of kernels and copies so does any access, and that of a kernel to
 * the memory of another device. The slack holds the pattern of unwritten memory, poisoned where AddressSanitizer
 * runs, and is looked at when the memory is freed. */
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emulation/device.h"
#include "emulation/emulation.h"
#include "emulation/shared_memory.h"
#include "emulation/work_queue.h"

namespace
{

struct allocation {
    int device;
    unsigned char *mapping; /* its first page is a guard */
    std::size_t mapping_size;
    unsigned char *pages; /* between the guards */
    std::size_t pages_size;
    unsigned char *begin; /* what the caller got */
    std::size_t size;
};

struct pinned_allocation {
    std::size_t size;
    int reads; /* copies from there that are still to be done */
};

struct memory {
    std::map<const unsigned char *, allocation> device; /* by their beginning */
    std::map<const unsigned char *, pinned_allocation> pinned;
    std::size_t total = emulation_default_memory; /* of each device */
    std::map<int, std::size_t> used;              /* by device */
    std::map<int, int> accesses;                  /* by device: how many want its memory open */
};

memory state;

bool set_protection(const allocation &block, int protection)
{
    return mprotect(block.pages, block.pages_size, protection) == 0;
}

/* The system refuses only when it has no memory left for its own tables: nothing sensible can follow. */
void set_all_protections(int device, int protection)
{
    for (const auto &[begin, block] : state.device)
        if (block.device == device && !set_protection(block, protection))
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

/* The pinned allocation that holds all of address[0 .. bytes-1], NULL if there is none. */
pinned_allocation *find_pinned(const void *pointer, std::size_t bytes)
{
    const unsigned char *address = static_cast<const unsigned char *>(pointer);
    auto above = state.pinned.upper_bound(address);
    if (above == state.pinned.begin())
        return nullptr;
    auto found = std::prev(above);
    const unsigned char *end = found->first + found->second.size;
    bool inside = address <= end && bytes <= static_cast<std::size_t>(end - address);
    return inside ? &found->second : nullptr;
}

cudaError_t release(void *pointer)
{
    auto found = state.device.find(static_cast<const unsigned char *>(pointer));
    if (found == state.device.end())
        return cudaErrorInvalidDevicePointer;
    allocation block = found->second;
    bool intact = set_protection(block, PROT_READ) && slack_is_unwritten(block);
    munmap(block.mapping, block.mapping_size);
    state.used[block.device] -= block.size;
    state.device.erase(found);
    if (!intact)
        return emulation_ruin(cudaErrorIllegalAddress, "a kernel wrote just outside an allocation of " +
                                                           std::to_string(block.size) + " bytes of device memory");
    return cudaSuccess;
}

} // namespace

/* ---------------------------------------------------------------------------------------------- who may touch it
 */

emulation_device_access::emulation_device_access() : emulation_device_access(emulation_current_device())
{
}

emulation_device_access::emulation_device_access(int device) : device_(device)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    if (state.accesses[device]++ == 0)
        set_all_protections(device, PROT_READ | PROT_WRITE);
}

emulation_device_access::~emulation_device_access()
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    if (--state.accesses[device_] == 0)
        set_all_protections(device_, PROT_NONE);
}

int emulation_device_of(const void *pointer, std::size_t bytes)
{
    const unsigned char *address = static_cast<const unsigned char *>(pointer);
    auto above = state.device.upper_bound(address);
    if (above == state.device.begin())
        return emulation_no_device;
    const allocation &found = std::prev(above)->second;
    const unsigned char *end = found.begin + found.size;
    bool inside = address <= end && bytes <= static_cast<std::size_t>(end - address);
    return inside ? found.device : emulation_no_device;
}

bool emulation_is_pinned(const void *pointer, std::size_t bytes)
{
    return find_pinned(pointer, bytes) != nullptr;
}

bool emulation_is_kernel_pointer(int device, const void *pointer)
{
    return pointer == nullptr || emulation_device_of(pointer, 0) == device || emulation_is_pinned(pointer, 0);
}

void emulation_count_reads(const void *pointer, int change)
{
    pinned_allocation *found = find_pinned(pointer, 0);
    if (found != nullptr)
        found->reads += change;
}

void emulation_spoil_pinned(void *pointer, std::size_t bytes)
{
    pinned_allocation *found = find_pinned(pointer, bytes);
    if (found != nullptr && found->reads == 0)
        std::memset(pointer, emulation_unwritten_byte, bytes);
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
        block.device = emulation_current_device();
        std::size_t &used = state.used[block.device];
        if (used > state.total || bytes > state.total - used || !make_allocation(bytes, &block))
            return cudaErrorMemoryAllocation;
        if (state.accesses[block.device] == 0 && !set_protection(block, PROT_NONE))
            std::abort();
        state.device.emplace(block.begin, block);
        used += bytes;
        *pointer = block.begin;
        return cudaSuccess;
    });
}

/* It waits for the device, as CUDA's does. */
cudaError_t cudaFree(void *pointer)
{
    return emulation_release_call([&] {
        if (pointer == nullptr)
            return cudaSuccess;
        emulation_finish_device(emulation_device_of(pointer, 0));
        return release(pointer);
    });
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
        state.pinned.emplace(static_cast<unsigned char *>(block), pinned_allocation{bytes, 0});
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

cudaError_t cudaMemGetInfo(std::size_t *free_bytes, std::size_t *total_bytes)
{
    return emulation_call([&] {
        *free_bytes = state.total - std::min(state.used[emulation_current_device()], state.total);
        *total_bytes = state.total;
        return cudaSuccess;
    });
}
