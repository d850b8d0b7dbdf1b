/* work_queue.h - work given to streams, and when it runs: at once, or as late and in as odd an order as they allow.
 */
#ifndef EMULATION_WORK_QUEUE_H
#define EMULATION_WORK_QUEUE_H

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "cuda_runtime.h"

/** What a launch, a copy or a call of a library does on the device. */
typedef std::function<cudaError_t()> emulation_work;

struct emulation_stream;

/** A piece of work: number `number` of what a stream was given, counted from 1. */
struct emulation_ticket {
    std::shared_ptr<emulation_stream> stream;
    std::uint64_t number;
};

/** A stream, or the default one of a device, which every blocking stream waits for, and which waits for them. */
struct emulation_stream {
    struct piece {
        emulation_work work;
        std::vector<emulation_ticket> after; /* work of other streams that must be done before */
    };
    int device;
    bool blocking;
    std::uint64_t done = 0;
    std::deque<piece> pending{};
};

/** Adds a stream to those that work is chosen from. */
std::shared_ptr<emulation_stream> emulation_queue_open(int device, bool blocking);

/** The default stream of a device. */
std::shared_ptr<emulation_stream> emulation_default_stream(int device);

/** Gives work to a stream. Where streams run at once (emulation_set_streams) it is done on return.
 *  @param after  work that must be done before
 *  @return what the work returned if it is done, else cudaSuccess: a failure of later work is the device's */
cudaError_t emulation_give(const std::shared_ptr<emulation_stream> &stream, emulation_work work,
                           std::vector<emulation_ticket> after = {});

/** Gives work that touches the memory of the stream's device, which is open meanwhile.
 *  @param stream  that exists */
cudaError_t emulation_give_with_memory(cudaStream_t stream, emulation_work work);

/** The last piece of work that the stream was given. */
emulation_ticket emulation_last_given(const std::shared_ptr<emulation_stream> &stream);

bool emulation_is_done(const emulation_ticket &ticket);

/** Does the work up to a ticket, and what must be done before it.
 *  @return the failure of the last piece of it */
cudaError_t emulation_finish(const emulation_ticket &ticket);

/** Does all work of a device. */
void emulation_finish_device(int device);

/** Somebody asks whether the stream is done, perhaps in a loop: that brings it forward by one piece. */
void emulation_bring_forward(const std::shared_ptr<emulation_stream> &stream);

#endif
