/* backend.cuh - what tests and benchmarks may ask of the cuda backend beyond its table. */
#ifndef MM_CUDA_BACKEND_BACKEND_CUH
#define MM_CUDA_BACKEND_BACKEND_CUH

#include <cstddef>

#include "backend/worker.cuh"

/** Bytes of a device that the backend of a process uses: a part of what is free, and where several processes work
 * on it, no more than leaves each of the others as much, beside what its context takes.
 *  @param total      bytes of the device
 *  @param free       bytes that nobody uses yet
 *  @param processes  that work on the device, this one too */
size_t mm_cuda_memory_share(size_t total, size_t free, int processes);

/** Chains whose eigenvalues failed on the device, and which the cpu evaluated, since the backend was opened.
 *  @param state  of an opened backend */
size_t mm_cuda_eigen_failures(const void *state);

/** Gradients that few collisions did not tell, and that were summed again by all of them, since then. */
size_t mm_cuda_gradients_summed_again(const void *state);

/** Bytes of device memory that each worker may use from now on. */
void mm_cuda_limit_memory(void *state, size_t bytes);

/** Leaves the whole work to a single worker and measures what it spends its time on, from 0. */
void mm_cuda_measure(void *state);

/** What has been measured since. */
struct mm_cuda_times mm_cuda_measured(const void *state);

#endif
