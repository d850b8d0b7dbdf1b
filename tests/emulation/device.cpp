/* device.cpp - the devices there are, the errors they remember, and the failures a test asks for. */
#include "emulation/device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "emulation/block.h"
#include "emulation/emulation.h"
#include "emulation/work_queue.h"

namespace
{

struct device_errors {
    cudaError_t last = cudaSuccess;
    cudaError_t ruin = cudaSuccess; /* every call fails with it */
    std::string text;               /* what went wrong */
    long calls_to_failure = 0;      /* 0: none is asked for */
    cudaError_t asked_for = cudaSuccess;
};

/* For a whole program on the emulated device: MM_EMULATION_LOSE_DEVICE_AT=n loses it at the n-th call. */
device_errors errors_of_environment()
{
    device_errors asked;
    const char *call = std::getenv("MM_EMULATION_LOSE_DEVICE_AT");
    if (call != nullptr) {
        asked.calls_to_failure = std::strtol(call, nullptr, 10);
        asked.asked_for = cudaErrorLaunchFailure;
    }
    return asked;
}

device_errors errors = errors_of_environment();
int device_count = 1;
bool has_display = false;
std::map<int, int> multiprocessors;  /* of the devices that have not the usual number */
thread_local int current_device = 0; /* each thread of the host has its own */

bool ruins_context(cudaError_t error)
{
    return error == cudaErrorIllegalAddress || error == cudaErrorLaunchTimeout || error == cudaErrorLaunchFailure ||
           error == cudaErrorUnknown;
}

cudaError_t check_device(int device)
{
    if (device_count == 0)
        return cudaErrorNoDevice;
    return device >= 0 && device < device_count ? cudaSuccess : cudaErrorInvalidDevice;
}

int multiprocessors_of(int device)
{
    const auto found = multiprocessors.find(device);
    return found == multiprocessors.end() ? emulation_multiprocessors : found->second;
}

} // namespace

std::recursive_mutex &emulation_mutex()
{
    static std::recursive_mutex only;
    return only;
}

cudaError_t emulation_admit()
{
    if (errors.calls_to_failure > 0 && --errors.calls_to_failure == 0) {
        if (ruins_context(errors.asked_for))
            return emulation_ruin(errors.asked_for, "a failure was asked for");
        return errors.asked_for;
    }
    return errors.ruin;
}

cudaError_t emulation_ruined()
{
    return errors.ruin;
}

int emulation_current_device()
{
    return current_device;
}

cudaError_t emulation_remember(cudaError_t error)
{
    if (error != cudaSuccess)
        errors.last = error;
    return error;
}

cudaError_t emulation_ruin(cudaError_t error, const std::string &text)
{
    if (ruins_context(error) && errors.ruin == cudaSuccess)
        errors.ruin = error;
    errors.text = text;
    return emulation_remember(error);
}

/* ----------------------------------------------------------------------------------------------- what tests ask */

void emulation_set_schedule(std::uint64_t seed)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    emulation_block_set_schedule(seed);
}

void emulation_fail_after(long call, cudaError_t error)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    errors.calls_to_failure = call;
    errors.asked_for = error;
}

void emulation_set_display(bool display)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    has_display = display;
}

void emulation_set_device_count(int count)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    device_count = count;
}

void emulation_set_multiprocessors(int device, int count)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    multiprocessors[device] = count;
}

const char *emulation_failure()
{
    return errors.text.c_str();
}

void emulation_reset()
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    emulation_restore_streams();
    errors = device_errors{};
    device_count = 1;
    has_display = false;
    multiprocessors.clear();
    current_device = 0;
    emulation_block_set_schedule(0);
    emulation_fail_eigensolve(-1);
    emulation_set_device_memory(emulation_default_memory);
}

/* ------------------------------------------------------------------------------------------------------- errors */

cudaError_t cudaPeekAtLastError()
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    return errors.ruin != cudaSuccess ? errors.ruin : errors.last;
}

cudaError_t cudaGetLastError()
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    cudaError_t error = cudaPeekAtLastError();
    errors.last = cudaSuccess;
    return error;
}

const char *cudaGetErrorName(cudaError_t error)
{
    switch (error) {
#define EMULATION_ERROR_NAME(name, value, text)                                                                    \
    case name:                                                                                                     \
        return #name;
        EMULATION_CUDA_ERRORS(EMULATION_ERROR_NAME)
#undef EMULATION_ERROR_NAME
    }
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    if (error != cudaSuccess && error == errors.ruin)
        return emulation_failure();
    switch (error) {
#define EMULATION_ERROR_TEXT(name, value, text)                                                                    \
    case name:                                                                                                     \
        return text;
        EMULATION_CUDA_ERRORS(EMULATION_ERROR_TEXT)
#undef EMULATION_ERROR_TEXT
    }
    return "unrecognized error code";
}

/* ------------------------------------------------------------------------------------------------------ devices */

cudaError_t cudaGetDeviceCount(int *count)
{
    return emulation_call([&] {
        *count = device_count;
        return device_count > 0 ? cudaSuccess : cudaErrorNoDevice;
    });
}

cudaError_t cudaSetDevice(int device)
{
    return emulation_call([&] {
        cudaError_t error = check_device(device);
        if (error == cudaSuccess)
            current_device = device;
        return error;
    });
}

cudaError_t cudaGetDevice(int *device)
{
    return emulation_call([&] {
        *device = current_device;
        return check_device(current_device);
    });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    return emulation_call([&] {
        cudaError_t error = check_device(device);
        if (error != cudaSuccess)
            return error;
        *properties = cudaDeviceProp{};
        std::snprintf(properties->name, sizeof properties->name, "emulated device");
        properties->totalGlobalMem = emulation_device_memory();
        properties->sharedMemPerBlock = emulation_shared_bytes;
        properties->sharedMemPerBlockOptin = emulation_shared_bytes_optin;
        properties->sharedMemPerMultiprocessor = emulation_shared_bytes_multiprocessor;
        properties->reservedSharedMemPerBlock = emulation_shared_bytes_reserved;
        properties->regsPerBlock = emulation_registers;
        properties->regsPerMultiprocessor = emulation_registers;
        properties->warpSize = warpSize;
        properties->maxThreadsPerBlock = emulation_block_threads;
        properties->maxThreadsPerMultiProcessor = emulation_multiprocessor_threads;
        properties->maxBlocksPerMultiProcessor = emulation_multiprocessor_blocks;
        properties->multiProcessorCount = multiprocessors_of(device);
        properties->l2CacheSize = emulation_l2_bytes;
        properties->major = emulation_compute_major;
        properties->minor = emulation_compute_minor;
        return cudaSuccess;
    });
}

static cudaError_t attribute_value(int *value, cudaDeviceAttr attribute, int device)
{
    switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
        *value = emulation_block_threads;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = emulation_shared_bytes;
        return cudaSuccess;
    case cudaDevAttrWarpSize:
        *value = warpSize;
        return cudaSuccess;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
        *value = emulation_registers;
        return cudaSuccess;
    case cudaDevAttrClockRate:
    case cudaDevAttrMemoryClockRate:
        *value = emulation_clock_kilohertz;
        return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
        *value = multiprocessors_of(device);
        return cudaSuccess;
    case cudaDevAttrKernelExecTimeout:
        *value = has_display;
        return cudaSuccess;
    case cudaDevAttrL2CacheSize:
        *value = emulation_l2_bytes;
        return cudaSuccess;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
        *value = emulation_multiprocessor_threads;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
        *value = emulation_compute_major;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *value = emulation_compute_minor;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
        *value = emulation_shared_bytes_multiprocessor;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = emulation_shared_bytes_optin;
        return cudaSuccess;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
        *value = emulation_multiprocessor_blocks;
        return cudaSuccess;
    case cudaDevAttrReservedSharedMemoryPerBlock:
        *value = emulation_shared_bytes_reserved;
        return cudaSuccess;
    }
    return cudaErrorInvalidValue;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    return emulation_call([&] {
        cudaError_t error = check_device(device);
        return error != cudaSuccess ? error : attribute_value(value, attribute, device);
    });
}

cudaError_t cudaDeviceSynchronize()
{
    return emulation_call([] {
        emulation_finish_device(current_device);
        return errors.ruin != cudaSuccess ? errors.ruin : check_device(current_device);
    });
}

cudaError_t cudaDriverGetVersion(int *version)
{
    return cudaRuntimeGetVersion(version);
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    return emulation_call([&] {
        *version = CUDART_VERSION;
        return cudaSuccess;
    });
}
