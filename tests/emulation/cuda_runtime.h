/* cuda_runtime.h - the part of the CUDA runtime that kernels and their callers use, for a device that is a CPU.
 *
 * Names, values and meanings are those of the CUDA Runtime API (CUDA 12.8 and 13.0 agree on all that is here).
 * Everything runs at once and in the order of the calls, which is one of the orders that streams allow, or in other
 * ones (emulation_set_streams). */
#ifndef EMULATION_CUDA_RUNTIME_H
#define EMULATION_CUDA_RUNTIME_H

#include <cstddef>
#include <functional>
#include <type_traits>

#include "emulation/device_language.h"
#include "vector_types.h"

#define CUDART_VERSION 12080

/* Thrust, included after this, runs on the CPU too, and leaves out the number formats of the real CUDA headers. */
#define THRUST_DEVICE_SYSTEM THRUST_DEVICE_SYSTEM_CPP
#define CCCL_DISABLE_FP16_SUPPORT

/* ---------------------------------------------------------------------------------------------------- errors */

/* X(name, value, text) */
#define EMULATION_CUDA_ERRORS(X)                                                                                   \
    X(cudaSuccess, 0, "no error")                                                                                  \
    X(cudaErrorInvalidValue, 1, "invalid argument")                                                                \
    X(cudaErrorMemoryAllocation, 2, "out of memory")                                                               \
    X(cudaErrorInitializationError, 3, "initialization error")                                                     \
    X(cudaErrorInvalidConfiguration, 9, "invalid configuration argument")                                          \
    X(cudaErrorInvalidDevicePointer, 17, "invalid device pointer")                                                 \
    X(cudaErrorInvalidMemcpyDirection, 21, "invalid copy direction for memcpy")                                    \
    X(cudaErrorInsufficientDriver, 35, "CUDA driver version is insufficient for CUDA runtime version")             \
    X(cudaErrorDevicesUnavailable, 46, "CUDA-capable device(s) is/are busy or unavailable")                        \
    X(cudaErrorInvalidDeviceFunction, 98, "invalid device function")                                               \
    X(cudaErrorNoDevice, 100, "no CUDA-capable device is detected")                                                \
    X(cudaErrorNoKernelImageForDevice, 209, "no kernel image is available for execution on the device")            \
    X(cudaErrorInvalidDevice, 101, "invalid device ordinal")                                                       \
    X(cudaErrorInvalidResourceHandle, 400, "invalid resource handle")                                              \
    X(cudaErrorNotReady, 600, "device not ready")                                                                  \
    X(cudaErrorIllegalAddress, 700, "an illegal memory access was encountered")                                    \
    X(cudaErrorLaunchOutOfResources, 701, "too many resources requested for launch")                               \
    X(cudaErrorLaunchTimeout, 702, "the launch timed out and was terminated")                                      \
    X(cudaErrorLaunchFailure, 719, "unspecified launch failure")                                                   \
    X(cudaErrorNotSupported, 801, "operation not supported")                                                       \
    X(cudaErrorUnknown, 999, "unknown error")

#define EMULATION_CUDA_ERROR(name, value, text) name = value,
enum cudaError { EMULATION_CUDA_ERRORS(EMULATION_CUDA_ERROR) };
#undef EMULATION_CUDA_ERROR
typedef cudaError cudaError_t;

cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
const char *cudaGetErrorName(cudaError_t error);

/** As CUDA's, but where a kernel went wrong it says how. */
const char *cudaGetErrorString(cudaError_t error);

/* --------------------------------------------------------------------------------------------------- devices */

struct cudaDeviceProp {
    char name[256];
    std::size_t totalGlobalMem;
    std::size_t sharedMemPerBlock;
    std::size_t sharedMemPerBlockOptin;
    std::size_t sharedMemPerMultiprocessor;
    std::size_t reservedSharedMemPerBlock;
    int regsPerBlock;
    int regsPerMultiprocessor;
    int warpSize;
    int maxThreadsPerBlock;
    int maxThreadsPerMultiProcessor;
    int maxBlocksPerMultiProcessor;
    int multiProcessorCount;
    int l2CacheSize;
    int major;
    int minor;
};

enum cudaDeviceAttr {
    cudaDevAttrMaxThreadsPerBlock = 1,
    cudaDevAttrMaxSharedMemoryPerBlock = 8,
    cudaDevAttrWarpSize = 10,
    cudaDevAttrMaxRegistersPerBlock = 12,
    cudaDevAttrClockRate = 13,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrKernelExecTimeout = 17,
    cudaDevAttrMemoryClockRate = 36,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrMaxThreadsPerMultiProcessor = 39,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMaxSharedMemoryPerMultiprocessor = 81,
    cudaDevAttrMaxRegistersPerMultiprocessor = 82,
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
    cudaDevAttrMaxBlocksPerMultiprocessor = 106,
    cudaDevAttrReservedSharedMemoryPerBlock = 111
};

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);

/* ---------------------------------------------------------------------------------------------------- memory */

enum cudaMemcpyKind {
    cudaMemcpyHostToHost = 0,
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
    cudaMemcpyDefault = 4
};

typedef struct emulation_stream *cudaStream_t;
typedef struct emulation_event *cudaEvent_t;

cudaError_t cudaMalloc(void **pointer, std::size_t bytes);
cudaError_t cudaFree(void *pointer);
cudaError_t cudaMallocHost(void **pointer, std::size_t bytes);
cudaError_t cudaFreeHost(void *pointer);
cudaError_t cudaMemcpy(void *destination, const void *source, std::size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *destination, const void *source, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream = nullptr);
cudaError_t cudaMemset(void *pointer, int value, std::size_t bytes);
cudaError_t cudaMemsetAsync(void *pointer, int value, std::size_t bytes, cudaStream_t stream = nullptr);
cudaError_t cudaMemGetInfo(std::size_t *free_bytes, std::size_t *total_bytes);

template <typename Element> cudaError_t cudaMalloc(Element **pointer, std::size_t bytes)
{
    void *memory = nullptr;
    cudaError_t error = cudaMalloc(&memory, bytes);
    if (error == cudaSuccess)
        *pointer = static_cast<Element *>(memory);
    return error;
}

template <typename Element> cudaError_t cudaMallocHost(Element **pointer, std::size_t bytes)
{
    void *memory = nullptr;
    cudaError_t error = cudaMallocHost(&memory, bytes);
    if (error == cudaSuccess)
        *pointer = static_cast<Element *>(memory);
    return error;
}

/** Copies to a __constant__ or __device__ variable of `size` bytes. */
cudaError_t emulation_copy_to_symbol(void *symbol, std::size_t size, const void *source, std::size_t bytes,
                                     std::size_t offset, cudaMemcpyKind kind);

template <typename Symbol>
cudaError_t cudaMemcpyToSymbol(Symbol &symbol, const void *source, std::size_t bytes, std::size_t offset = 0,
                               cudaMemcpyKind kind = cudaMemcpyHostToDevice)
{
    return emulation_copy_to_symbol(&symbol, sizeof symbol, source, bytes, offset, kind);
}

/* --------------------------------------------------------------------------------------- streams and events */

enum : unsigned int { cudaStreamDefault = 0, cudaStreamNonBlocking = 1 };
enum : unsigned int { cudaEventDefault = 0, cudaEventBlockingSync = 1, cudaEventDisableTiming = 2 };

cudaError_t cudaStreamCreate(cudaStream_t *stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags = 0);
cudaError_t cudaEventCreate(cudaEvent_t *event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end);

/* --------------------------------------------------------------------------------------------------- kernels */

struct cudaFuncAttributes {
    std::size_t sharedSizeBytes; /* 0: the static part is not known here */
    std::size_t localSizeBytes;  /* 0: nothing spills here */
    int maxThreadsPerBlock;
    int numRegs; /* 0: not known here */
    int maxDynamicSharedSizeBytes;
};

enum cudaFuncAttribute {
    cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
    cudaFuncAttributePreferredSharedMemoryCarveout = 9
};

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *kernel);
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *kernel, int block_threads,
                                                          std::size_t dynamic_shared_bytes);

template <typename... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute attribute, int value)
{
    return cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), attribute, value);
}

template <typename... Parameters>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, void (*kernel)(Parameters...))
{
    return cudaFuncGetAttributes(attributes, reinterpret_cast<const void *>(kernel));
}

template <typename... Parameters>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void (*kernel)(Parameters...),
                                                          int block_threads, std::size_t dynamic_shared_bytes)
{
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, reinterpret_cast<const void *>(kernel),
                                                         block_threads, dynamic_shared_bytes);
}

/* -------------------------------------------------------------------------------------------------- launches */

/** What is between <<< and >>>, and the kernel's name for messages. */
struct emulation_launch_shape {
    const char *kernel_name;
    dim3 grid;
    dim3 block;
    std::size_t dynamic_shared_bytes;
    cudaStream_t stream;
};

/** Gives a kernel to its stream; the outcome is left for cudaGetLastError.
 *  @param kernel    identifies the kernel for cudaFuncSetAttribute
 *  @param pointers  [pointer_count], the arguments that are pointers: each must be one that a kernel may be given
 *  @param body      calls the kernel once, as one thread of it, with arguments of its own */
void emulation_launch(const emulation_launch_shape &shape, const void *kernel, std::size_t pointer_count,
                      const void *const *pointers, const std::function<void()> &body);

/** The pointer itself if the argument is one, else NULL, which a kernel may always be given. */
template <typename Parameter> const void *emulation_pointer_argument(const Parameter &parameter)
{
    if constexpr (std::is_pointer_v<Parameter>)
        return const_cast<const void *>(static_cast<const volatile void *>(parameter));
    else
        return nullptr;
}

/** A kernel with its launch shape, waiting for its arguments. */
template <typename... Parameters> struct emulation_kernel {
    static_assert((std::is_trivially_copyable_v<Parameters> && ...), "kernels take plain values");

    void (*kernel)(Parameters...);
    emulation_launch_shape shape;

    void operator()(Parameters... parameters) const
    {
        const void *pointers[] = {nullptr, emulation_pointer_argument(parameters)...};
        emulation_launch(shape, reinterpret_cast<const void *>(kernel), sizeof...(parameters), pointers + 1,
                         [kernel = kernel, parameters...] { kernel(parameters...); });
    }
};

template <typename... Parameters>
emulation_kernel<Parameters...> emulation_prepare(void (*kernel)(Parameters...), const char *name, dim3 grid,
                                                  dim3 block, std::size_t dynamic_shared_bytes, cudaStream_t stream)
{
    return {kernel, {name, grid, block, dynamic_shared_bytes, stream}};
}

/* -------------------------------------------------------------------------------------------- access by hand */

/** While one of these exists the host may touch device memory: for libraries that compute there, as Thrust does. */
class emulation_device_access
{
  public:
    emulation_device_access(); /* to that of the current device */
    explicit emulation_device_access(int device);
    ~emulation_device_access();
    emulation_device_access(const emulation_device_access &) = delete;
    emulation_device_access &operator=(const emulation_device_access &) = delete;

  private:
    int device_;
};

/** Waits until a stream has done its work, for such libraries. */
void emulation_wait_for(cudaStream_t stream);

#endif
