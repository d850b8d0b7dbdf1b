/* work_queue.cpp - work given to streams, and when it runs.
 *
 * Work runs when somebody waits for it, and in a random schedule whenever anything is given to any stream. What may
 * run is the first piece of any stream whose own conditions are met: a host that looks at results, changes what is
 * still to be copied, or starts dependent work on another stream without waiting meets the wrong data. */
#include "emulation/work_queue.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include "emulation/device.h"
#include "emulation/emulation.h"

namespace
{

/* For a whole program on the emulated device: MM_EMULATION_STREAMS=seed, as emulation_set_streams. */
std::uint64_t seed_of_environment()
{
    const char *seed = std::getenv("MM_EMULATION_STREAMS");
    return seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10);
}

struct queue_state {
    enum { at_once, late, random } kind = at_once;
    std::mt19937_64 engine;
    std::vector<std::weak_ptr<emulation_stream>> streams;
    std::map<int, std::shared_ptr<emulation_stream>> defaults; /* by device */

    void set_kind(std::uint64_t seed)
    {
        kind = seed == 0 ? at_once : seed == 1 ? late : random;
        engine.seed(seed);
    }

    queue_state()
    {
        set_kind(seed_of_environment());
    }
};

queue_state queue;

std::vector<std::shared_ptr<emulation_stream>> streams_with_work()
{
    std::vector<std::shared_ptr<emulation_stream>> found;
    for (const std::weak_ptr<emulation_stream> &stream : queue.streams)
        if (std::shared_ptr<emulation_stream> alive = stream.lock(); alive != nullptr && !alive->pending.empty())
            found.push_back(std::move(alive));
    return found;
}

bool may_run(const emulation_stream &stream)
{
    for (const emulation_ticket &ticket : stream.pending.front().after)
        if (!emulation_is_done(ticket))
            return false;
    return true;
}

/* The first piece of a stream, whose conditions are met. A lost device does nothing more. */
cudaError_t run_first(emulation_stream &stream)
{
    emulation_work work = std::move(stream.pending.front().work);
    stream.pending.pop_front();
    cudaError_t error = emulation_ruined();
    if (error == cudaSuccess)
        error = emulation_remember(work());
    stream.done++;
    return error;
}

/* In a random schedule the device gets on with something now and then. */
void let_time_pass()
{
    while (queue.kind == queue_state::random && queue.engine() % 3 == 0) {
        std::vector<std::shared_ptr<emulation_stream>> streams = streams_with_work();
        if (streams.empty())
            return;
        emulation_stream &chosen = *streams[queue.engine() % streams.size()];
        if (may_run(chosen))
            run_first(chosen);
    }
}

/* The default stream waits for the blocking ones of its device, and they for it. */
void add_default_order(const std::shared_ptr<emulation_stream> &stream, std::vector<emulation_ticket> *after)
{
    std::shared_ptr<emulation_stream> default_stream = emulation_default_stream(stream->device);
    if (stream != default_stream) {
        if (stream->blocking)
            after->push_back(emulation_last_given(default_stream));
        return;
    }
    for (const std::shared_ptr<emulation_stream> &other : streams_with_work())
        if (other != stream && other->blocking && other->device == stream->device)
            after->push_back(emulation_last_given(other));
}

} // namespace

std::shared_ptr<emulation_stream> emulation_queue_open(int device, bool blocking)
{
    std::shared_ptr<emulation_stream> made = std::make_shared<emulation_stream>();
    made->device = device;
    made->blocking = blocking;
    std::vector<std::weak_ptr<emulation_stream>> &all = queue.streams;
    all.erase(std::remove_if(all.begin(), all.end(), [](const auto &stream) { return stream.expired(); }),
              all.end());
    all.push_back(made);
    return made;
}

std::shared_ptr<emulation_stream> emulation_default_stream(int device)
{
    std::shared_ptr<emulation_stream> &found = queue.defaults[device];
    if (found == nullptr)
        found = emulation_queue_open(device, true);
    return found;
}

cudaError_t emulation_give(const std::shared_ptr<emulation_stream> &stream, emulation_work work,
                           std::vector<emulation_ticket> after)
{
    if (queue.kind == queue_state::at_once) {
        stream->done++;
        return work();
    }
    add_default_order(stream, &after);
    stream->pending.push_back({std::move(work), std::move(after)});
    let_time_pass();
    return cudaSuccess;
}

cudaError_t emulation_give_with_memory(cudaStream_t stream, emulation_work work)
{
    std::shared_ptr<emulation_stream> found = emulation_find_stream(stream);
    return emulation_give(found, [device = found->device, work = std::move(work)] {
        emulation_device_access access(device);
        return work();
    });
}

emulation_ticket emulation_last_given(const std::shared_ptr<emulation_stream> &stream)
{
    return {stream, stream->done + stream->pending.size()};
}

bool emulation_is_done(const emulation_ticket &ticket)
{
    return ticket.stream == nullptr || ticket.stream->done >= ticket.number;
}

cudaError_t emulation_finish(const emulation_ticket &ticket)
{
    cudaError_t error = cudaSuccess;
    let_time_pass();
    while (!emulation_is_done(ticket)) {
        const std::vector<emulation_ticket> before = ticket.stream->pending.front().after;
        for (const emulation_ticket &earlier : before)
            (void)emulation_finish(earlier);
        if (!emulation_is_done(ticket) && may_run(*ticket.stream))
            error = run_first(*ticket.stream);
    }
    return error;
}

void emulation_finish_device(int device)
{
    for (const std::shared_ptr<emulation_stream> &stream : streams_with_work())
        if (stream->device == device)
            (void)emulation_finish(emulation_last_given(stream));
}

void emulation_bring_forward(const std::shared_ptr<emulation_stream> &stream)
{
    if (!stream->pending.empty())
        (void)emulation_finish({stream, stream->done + 1});
}

void emulation_set_streams(std::uint64_t seed)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    for (const std::shared_ptr<emulation_stream> &stream : streams_with_work())
        (void)emulation_finish(emulation_last_given(stream));
    queue.set_kind(seed);
}

void emulation_restore_streams()
{
    for (const std::shared_ptr<emulation_stream> &stream : streams_with_work()) {
        stream->done += stream->pending.size();
        stream->pending.clear();
    }
    queue.set_kind(seed_of_environment());
}
