/* check.cuh - the only way to call the CUDA libraries and to launch: every outcome is looked at.
 *
 * The same sources run on a device (nvcc) and on a CPU (tests/emulation, which comes first in the include path
 * there). What differs between the two is spelled out here and nowhere else. */
#ifndef MM_CUDA_DEVICE_CHECK_CUH
#define MM_CUDA_DEVICE_CHECK_CUH

#include <exception>

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

#include "micromaser.h"

/* -------------------------------------------------------------------------------------------------- failures */

/** Describes a failed call as MM_ERROR_DEVICE: the library's words for the failure, and the text of the call. Who
 *  knows the device puts its number before it: a lost device does not tell its own. The error that the runtime
 *  remembers is cleared, so that the next launch does not report it. */
inline mm_status mm_device_failure(struct mm_error *error, const char *name, const char *text, const char *call)
{
    (void)cudaGetLastError();
    return mm_fail(error, MM_ERROR_DEVICE, "%s (%s) from %s", name, text, call);
}

/* Names of status codes. cuBLAS has a function for its own, but cuBLAS is not linked against
 * (device/libraries.cuh). */

#define MM_STATUS_NAME(name)                                                                                       \
    case name:                                                                                                     \
        return #name;

inline const char *mm_cublas_status_name(cublasStatus_t status)
{
    switch (status) {
        MM_STATUS_NAME(CUBLAS_STATUS_SUCCESS)
        MM_STATUS_NAME(CUBLAS_STATUS_NOT_INITIALIZED)
        MM_STATUS_NAME(CUBLAS_STATUS_ALLOC_FAILED)
        MM_STATUS_NAME(CUBLAS_STATUS_INVALID_VALUE)
        MM_STATUS_NAME(CUBLAS_STATUS_ARCH_MISMATCH)
        MM_STATUS_NAME(CUBLAS_STATUS_EXECUTION_FAILED)
        MM_STATUS_NAME(CUBLAS_STATUS_INTERNAL_ERROR)
        MM_STATUS_NAME(CUBLAS_STATUS_NOT_SUPPORTED)
    default:
        return "a cuBLAS status without a name";
    }
}

inline const char *mm_cusolver_status_name(cusolverStatus_t status)
{
    switch (status) {
        MM_STATUS_NAME(CUSOLVER_STATUS_SUCCESS)
        MM_STATUS_NAME(CUSOLVER_STATUS_NOT_INITIALIZED)
        MM_STATUS_NAME(CUSOLVER_STATUS_ALLOC_FAILED)
        MM_STATUS_NAME(CUSOLVER_STATUS_INVALID_VALUE)
        MM_STATUS_NAME(CUSOLVER_STATUS_ARCH_MISMATCH)
        MM_STATUS_NAME(CUSOLVER_STATUS_EXECUTION_FAILED)
        MM_STATUS_NAME(CUSOLVER_STATUS_INTERNAL_ERROR)
        MM_STATUS_NAME(CUSOLVER_STATUS_NOT_SUPPORTED)
    default:
        return "a cuSOLVER status without a name";
    }
}

#undef MM_STATUS_NAME

/* Each of these makes a function that returns mm_status return MM_ERROR_DEVICE if the call fails.
 * `error` is a struct mm_error *, which may be NULL. */

#define MM_CUDA_CHECK(error, call) MM_CUDA_CHECK_OUTCOME(error, call, #call)

/* The same for an outcome that has been looked at already; `text` is that of the call. */
#define MM_CUDA_CHECK_OUTCOME(error, outcome, text)                                                                \
    do {                                                                                                           \
        cudaError_t mm_outcome = (outcome);                                                                        \
        if (mm_outcome != cudaSuccess)                                                                             \
            return mm_device_failure(error, cudaGetErrorName(mm_outcome), cudaGetErrorString(mm_outcome), text);   \
    } while (0)

#define MM_CUBLAS_CHECK(error, call)                                                                               \
    do {                                                                                                           \
        cublasStatus_t mm_outcome = (call);                                                                        \
        if (mm_outcome != CUBLAS_STATUS_SUCCESS)                                                                   \
            return mm_device_failure(error, mm_cublas_status_name(mm_outcome), "cuBLAS", #call);                   \
    } while (0)

#define MM_CUSOLVER_CHECK(error, call)                                                                             \
    do {                                                                                                           \
        cusolverStatus_t mm_outcome = (call);                                                                      \
        if (mm_outcome != CUSOLVER_STATUS_SUCCESS)                                                                 \
            return mm_device_failure(error, mm_cusolver_status_name(mm_outcome), "cuSOLVER", #call);               \
    } while (0)

/** For a statement that calls Thrust on device memory; its exceptions end here. */
#define MM_THRUST_CHECK(error, ...)                                                                                \
    do {                                                                                                           \
        try {                                                                                                      \
            MM_DEVICE_ACCESS;                                                                                      \
            __VA_ARGS__;                                                                                           \
        } catch (const std::exception &mm_thrown) {                                                                \
            return mm_device_failure(error, "Thrust", mm_thrown.what(), #__VA_ARGS__);                             \
        }                                                                                                          \
    } while (0)

/* -------------------------------------------------------------------------------------------------- launches */

/** Outcome of the launch just made; a launch whose outcome nobody takes is warned of. */
[[nodiscard]] inline cudaError_t mm_launch_outcome()
{
    return cudaGetLastError();
}

/* MM_LAUNCH(kernel, grid, block, shared_bytes, stream, arguments..)
 *     launches and gives the cudaError_t of the launch: MM_CUDA_CHECK(error, MM_LAUNCH(..)). A kernel with several
 *     template arguments goes into parentheses: MM_LAUNCH((propagate<32, 4>), ..).
 * MM_DYNAMIC_SHARED(type, name)
 *     declares, in a kernel, a pointer to its dynamic shared memory, aligned to 16 bytes.
 * MM_THRUST_POLICY(stream), MM_THRUST_POLICY_WITH(allocator, stream)
 *     Thrust's execution policy, with temporary memory of its own or from an allocator; needs
 *     <thrust/execution_policy.h>.
 * MM_DEVICE_ACCESS
 *     declares that, to the end of the scope, code outside kernels works on device memory, as Thrust does. */

#ifdef EMULATION_CUDA_RUNTIME_H

#define MM_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                  \
    (emulation_prepare(kernel, #kernel, grid, block, shared_bytes, stream)(__VA_ARGS__), mm_launch_outcome())
#define MM_DYNAMIC_SHARED(type, name)            type *name = static_cast<type *>(emulation_dynamic_shared())
#define MM_THRUST_POLICY(stream)                 (emulation_wait_for(stream), thrust::cpp::par)
#define MM_THRUST_POLICY_WITH(allocator, stream) (emulation_wait_for(stream), thrust::cpp::par(allocator))
#define MM_DEVICE_ACCESS                         emulation_device_access mm_device_access

#else

#define MM_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                  \
    (kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__), mm_launch_outcome())
#define MM_DYNAMIC_SHARED(type, name)                                                                              \
    extern __shared__ __align__(16) unsigned char mm_dynamic_shared[];                                             \
    type *name = reinterpret_cast<type *>(mm_dynamic_shared)
#define MM_THRUST_POLICY(stream)                 thrust::cuda::par.on(stream)
#define MM_THRUST_POLICY_WITH(allocator, stream) thrust::cuda::par(allocator).on(stream)
#define MM_DEVICE_ACCESS                         static_cast<void>(0)

#endif

#endif
