/* streams.cpp - streams and events, and which of them exist. */
#include <chrono>
#include <memory>
#include <unordered_map>

#include "emulation/device.h"
#include "emulation/emulation.h"
#include "emulation/work_queue.h"

struct emulation_event {
    struct recording {
        emulation_ticket ticket;
        std::chrono::steady_clock::time_point time{};
    };
    int device;
    bool timed;
    std::shared_ptr<recording> last{}; /* NULL: never recorded */

    bool is_done() const
    {
        return last == nullptr || emulation_is_done(last->ticket);
    }
};

namespace
{

struct handles {
    std::unordered_map<cudaStream_t, std::shared_ptr<emulation_stream>> streams;
    std::unordered_map<cudaEvent_t, std::unique_ptr<emulation_event>> events;
    int of_libraries = 0;
};

handles live;

bool is_event(cudaEvent_t event)
{
    return live.events.find(event) != live.events.end();
}

} // namespace

std::shared_ptr<emulation_stream> emulation_find_stream(cudaStream_t stream)
{
    if (stream == nullptr)
        return emulation_default_stream(emulation_current_device());
    auto found = live.streams.find(stream);
    return found == live.streams.end() ? nullptr : found->second;
}

std::shared_ptr<emulation_stream> emulation_find_own_stream(cudaStream_t stream)
{
    std::shared_ptr<emulation_stream> found = emulation_find_stream(stream);
    return found != nullptr && found->device == emulation_current_device() ? found : nullptr;
}

void emulation_count_handle(int change)
{
    live.of_libraries += change;
}

std::size_t emulation_live_handles()
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    return live.streams.size() + live.events.size() + static_cast<std::size_t>(live.of_libraries);
}

/* ------------------------------------------------------------------------------------------------------ streams */

cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags)
{
    return emulation_call([&] {
        if (flags > cudaStreamNonBlocking)
            return cudaErrorInvalidValue;
        auto made = emulation_queue_open(emulation_current_device(), flags == cudaStreamDefault);
        *stream = made.get();
        live.streams.emplace(*stream, std::move(made));
        return cudaSuccess;
    });
}

/* What the stream was given is done all the same. */
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    return emulation_release_call([&] {
        auto found = live.streams.find(stream);
        if (found == live.streams.end())
            return cudaErrorInvalidResourceHandle;
        (void)emulation_finish(emulation_last_given(found->second));
        live.streams.erase(found);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    return emulation_call([&] {
        std::shared_ptr<emulation_stream> found = emulation_find_stream(stream);
        return found == nullptr ? cudaErrorInvalidResourceHandle : emulation_finish(emulation_last_given(found));
    });
}

void emulation_wait_for(cudaStream_t stream)
{
    (void)cudaStreamSynchronize(stream); /* what went wrong there is the device's */
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    return emulation_call([&] {
        std::shared_ptr<emulation_stream> found = emulation_find_stream(stream);
        if (found == nullptr)
            return cudaErrorInvalidResourceHandle;
        emulation_bring_forward(found);
        return found->pending.empty() ? cudaSuccess : cudaErrorNotReady;
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags)
{
    return emulation_call([&] {
        if (flags != 0)
            return cudaErrorInvalidValue;
        std::shared_ptr<emulation_stream> found = emulation_find_stream(stream);
        if (found == nullptr || !is_event(event))
            return cudaErrorInvalidResourceHandle;
        if (event->is_done())
            return cudaSuccess;
        return emulation_give(found, [] { return cudaSuccess; }, {event->last->ticket});
    });
}

/* ------------------------------------------------------------------------------------------------------- events */

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
    return emulation_call([&] {
        if ((flags & ~(cudaEventBlockingSync | cudaEventDisableTiming)) != 0)
            return cudaErrorInvalidValue;
        auto made = std::make_unique<emulation_event>();
        made->device = emulation_current_device();
        made->timed = (flags & cudaEventDisableTiming) == 0;
        *event = made.get();
        live.events.emplace(*event, std::move(made));
        return cudaSuccess;
    });
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    return emulation_release_call(
        [&] { return live.events.erase(event) == 1 ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    return emulation_call([&] {
        std::shared_ptr<emulation_stream> found = emulation_find_stream(stream);
        if (!is_event(event) || found == nullptr || found->device != event->device)
            return cudaErrorInvalidResourceHandle;
        auto recording = std::make_shared<emulation_event::recording>();
        recording->ticket = emulation_last_given(found);
        recording->ticket.number++;
        event->last = recording;
        return emulation_give(found, [recording] {
            recording->time = std::chrono::steady_clock::now();
            return cudaSuccess;
        });
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    return emulation_call([&] {
        if (!is_event(event))
            return cudaErrorInvalidResourceHandle;
        return event->is_done() ? cudaSuccess : emulation_finish(event->last->ticket);
    });
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    return emulation_call([&] {
        if (!is_event(event))
            return cudaErrorInvalidResourceHandle;
        if (!event->is_done())
            emulation_bring_forward(event->last->ticket.stream);
        return event->is_done() ? cudaSuccess : cudaErrorNotReady;
    });
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    return emulation_call([&] {
        for (cudaEvent_t event : {start, end})
            if (!is_event(event) || !event->timed || event->last == nullptr)
                return cudaErrorInvalidResourceHandle;
        if (!start->is_done() || !end->is_done())
            return cudaErrorNotReady;
        *milliseconds = std::chrono::duration<float, std::milli>(end->last->time - start->last->time).count();
        return cudaSuccess;
    });
}
