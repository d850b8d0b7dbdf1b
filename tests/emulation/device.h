/* device.h - the emulated device behind the runtime: its constants, its failures, and who may touch its memory. */
#ifndef EMULATION_DEVICE_H
#define EMULATION_DEVICE_H

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "cuda_runtime.h"

constexpr int emulation_block_threads = 1024;
constexpr int emulation_multiprocessor_threads = 2048;
constexpr int emulation_multiprocessor_blocks = 32;
constexpr int emulation_multiprocessors = 2;
constexpr int emulation_registers = 65536;
constexpr int emulation_shared_bytes = 48 * 1024;        /* without asking */
constexpr int emulation_shared_bytes_optin = 227 * 1024; /* with cudaFuncSetAttribute */
constexpr int emulation_shared_bytes_reserved = 1024;    /* of each block, by the system */
constexpr int emulation_shared_bytes_multiprocessor = 228 * 1024;
constexpr int emulation_l2_bytes = 4 * 1024 * 1024;
constexpr int emulation_clock_kilohertz = 1000000;
constexpr int emulation_compute_major = 9;
constexpr int emulation_compute_minor = 0;
constexpr std::size_t emulation_default_memory = std::size_t{1} << 30;

/* ---------------------------------------------------------------------------------------------- calls (device.cpp)
 */

/** Held through every call of the runtime: kernels of several threads of the host run one after the other. */
std::recursive_mutex &emulation_mutex();

/** What a call that begins now must fail with: the error that ruined the context, or the injected one. */
cudaError_t emulation_admit();

/** The error that ruined the context, with which every call fails; cudaSuccess if nothing has. */
cudaError_t emulation_ruined();

/** The device of the calling thread of the host. */
int emulation_current_device();

/** Remembers an error for cudaGetLastError and returns it. */
cudaError_t emulation_remember(cudaError_t error);

/** Notes in words what went wrong on the device; with one of the ruining errors all later calls fail with it. */
cudaError_t emulation_ruin(cudaError_t error, const std::string &text);

/** Runs the body of a runtime call, unless the call must fail. */
template <typename Body> cudaError_t emulation_call(Body body)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    cudaError_t error = emulation_admit();
    return emulation_remember(error != cudaSuccess ? error : body());
}

/** The same for a call that frees: it does so even where it must fail. */
template <typename Body> cudaError_t emulation_release_call(Body body)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    cudaError_t error = emulation_admit();
    cudaError_t body_error = body();
    return emulation_remember(error != cudaSuccess ? error : body_error);
}

/* --------------------------------------------------------------------------------------- memory
 * (device_memory.cpp) */

constexpr int emulation_no_device = -1;

/** Device with all of pointer[0 .. bytes-1] in one allocation of its memory, or emulation_no_device. */
int emulation_device_of(const void *pointer, std::size_t bytes);

/** Whether all of pointer[0 .. bytes-1] lies in one allocation of a device's memory. */
inline bool emulation_is_device_memory(const void *pointer, std::size_t bytes)
{
    return emulation_device_of(pointer, bytes) != emulation_no_device;
}

/** Whether all of pointer[0 .. bytes-1] lies in one allocation of pinned memory. */
bool emulation_is_pinned(const void *pointer, std::size_t bytes);

/** Whether a kernel on a device may be given this pointer: NULL, into its or pinned memory, or to an end of it. */
bool emulation_is_kernel_pointer(int device, const void *pointer);

/** Size of a device's memory. */
std::size_t emulation_device_memory();

/** Notes that the pinned memory there is to be read later, or has been: what is to be read must not be overwritten
 *  by the emulation itself. */
void emulation_count_reads(const void *pointer, int change);

/** Overwrites pinned memory into which a copy is on its way: who looks too early sees that. */
void emulation_spoil_pinned(void *pointer, std::size_t bytes);

/* ------------------------------------------------------------------------------------------ handles (streams.cpp)
 */

struct emulation_stream; /* work_queue.h */

/** The stream of a handle, NULL if there is none; a NULL handle is the current device's default stream. */
std::shared_ptr<emulation_stream> emulation_find_stream(cudaStream_t stream);

/** The same, if it is one of the current device. */
std::shared_ptr<emulation_stream> emulation_find_own_stream(cudaStream_t stream);

/** Counts handles of the libraries among emulation_live_handles. */
void emulation_count_handle(int change);

/** As streams run in a fresh process, without any work left. */
void emulation_restore_streams();

#endif
