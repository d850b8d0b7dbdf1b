/* memory.cuh - arrays on a device that grow and stay, under a limit, and their pinned twins on the host. */
#ifndef MM_CUDA_DEVICE_MEMORY_CUH
#define MM_CUDA_DEVICE_MEMORY_CUH

#include <cstddef>

#include <cuda_runtime.h>

#include "micromaser.h"

/** Every array a worker needs. Each is an allocation of its own, so that tools that look for accesses outside of
 *  allocations see them. */
enum mm_array {
    MM_ARRAY_INPUT, /* chains, then qubits: they travel together */
    MM_ARRAY_STATES,
    MM_ARRAY_ADJOINTS,
    MM_ARRAY_TAIL_SIGNS,
    MM_ARRAY_DERIVATIVES,
    MM_ARRAY_FEW_SUMS,
    MM_ARRAY_BY_INSTABILITY,
    MM_ARRAY_SEGMENTS,
    MM_ARRAY_WINDOWS,
    MM_ARRAY_CHECKPOINT_STATES,
    MM_ARRAY_CHECKPOINT_CHAINS,
    MM_ARRAY_ORDER,
    MM_ARRAY_KEYS,
    MM_ARRAY_SCRATCH,
    MM_ARRAY_LOSSES,
    MM_ARRAY_ENERGIES,
    MM_ARRAY_MATRICES,
    MM_ARRAY_PROJECTORS,
    MM_ARRAY_VECTORS,
    MM_ARRAY_TRIDIAGONAL,
    MM_ARRAY_POPULATIONS,
    MM_ARRAY_SHIFTS,
    MM_ARRAY_EIGENVALUES,
    MM_ARRAY_PASSIVE,
    MM_ARRAY_INFO,
    MM_ARRAY_EIGEN_WORK,
    MM_ARRAY_COUNT
};

/** A set of arrays. Zero-initialise before the first use. */
struct mm_device_memory {
    size_t limit; /* most bytes on the device */
    size_t used;
    struct {
        void *device;
        size_t bytes;
    } arrays[MM_ARRAY_COUNT];
    struct {
        void *pinned;
        size_t bytes;
    } staging[MM_ARRAY_COUNT];
};

/** Makes every array at least as large as wanted; an array that changes loses its contents. Where the limit would
 * be passed, arrays larger than wanted are given back first.
 *  @param wanted  [MM_ARRAY_COUNT], bytes
 *  Errors: MM_ERROR_DEVICE if what is wanted exceeds the limit or the device has not got it. */
mm_status mm_device_memory_reserve(struct mm_device_memory *memory, const size_t *wanted, struct mm_error *error);

/** Makes the pinned twin of an array at least so large; it loses its contents where it grows. */
mm_status mm_device_memory_stage(struct mm_device_memory *memory, enum mm_array array, size_t bytes,
                                 struct mm_error *error);

/** Brings the first `bytes` of an array to its pinned twin once the stream has come so far; does not wait. */
mm_status mm_device_memory_download(struct mm_device_memory *memory, enum mm_array array, size_t bytes,
                                    cudaStream_t stream, struct mm_error *error);

void mm_device_memory_free(struct mm_device_memory *memory);

/** Copies `bytes` bytes, if there are any, to memory of their own on the present device. They are there for every
 * stream when this returns.
 *  @param copy  out: device memory, owned by the caller, who frees it with cudaFree, after a failure, too; or NULL
 *  Errors: MM_ERROR_DEVICE. */
mm_status mm_device_copy_bytes(void **copy, const void *data, size_t bytes, struct mm_error *error);

template <typename Element>
mm_status mm_device_copy(Element **copy, const Element *data, size_t count, struct mm_error *error)
{
    void *bytes;
    const mm_status status = mm_device_copy_bytes(&bytes, data, count * sizeof *data, error);
    *copy = static_cast<Element *>(bytes);
    return status;
}

/** The device's array and its pinned twin. */
template <typename Element> Element *mm_on_device(const struct mm_device_memory &memory, enum mm_array array)
{
    return static_cast<Element *>(memory.arrays[array].device);
}

template <typename Element> Element *mm_staged(const struct mm_device_memory &memory, enum mm_array array)
{
    return static_cast<Element *>(memory.staging[array].pinned);
}

#endif
