/* emulation.h - what a test can ask of the emulated device: its schedule, its size, its failures, its leftovers. */
#ifndef EMULATION_H
#define EMULATION_H

#include <cstddef>
#include <cstdint>

#include "cuda_runtime.h"

/** Order in which blocks, and the threads of a block between two meetings, run: 0 ascending, 1 descending, any
 *  other value a random order that it seeds, in which atomics and fences are points of interruption too.
 *  A kernel whose results depend on the schedule lacks a barrier. */
void emulation_set_schedule(std::uint64_t seed);

/** When the work of streams runs: 0 at once, in the order of the calls; 1 when somebody waits for it, or for work
 * that must come after it; any other value at times and in an order that it seeds. All are orders that streams
 * allow: results that depend on this lack a synchronisation or an event. Does what is still to be done first. */
void emulation_set_streams(std::uint64_t seed);

/** Makes the call-th call from now (1: the next one) of a CUDA, cuSOLVER or cuBLAS function, or launch, fail with
 *  `error`; 0 means none. Calls that free fail as well, but free. Errors that ruin a CUDA context (launch failure,
 *  illegal address, ..) make every later call fail too. */
void emulation_fail_after(long call, cudaError_t error);

/** Makes the next batch of eigenvalue problems report `matrix` (from 0) as not converged. */
void emulation_fail_eigensolve(std::int64_t matrix);

/** Size of each device's memory in bytes. */
void emulation_set_device_memory(std::size_t bytes);

/** Whether a display hangs on every device, whose driver then ends long kernels. (Here they are not.) */
void emulation_set_display(bool display);

/** Number of devices. Each has a memory of its own, which kernels on another one cannot touch. */
void emulation_set_device_count(int count);

/** Makes a device one of another kind, with so many multiprocessors. */
void emulation_set_multiprocessors(int device, int count);

/** Allocations of device and of pinned memory that are not freed yet. */
std::size_t emulation_live_allocations();

/** Streams, events and library handles that are not destroyed yet. */
std::size_t emulation_live_handles();

/** What went wrong on the device, in one line; empty if nothing did. Valid until the next call. */
const char *emulation_failure();

/** Back to the state of a fresh process: errors, injected failures, schedules, memory size, display, device count.
 *  Work that streams have not done yet is dropped; allocations and handles stay. */
void emulation_reset();

#endif
