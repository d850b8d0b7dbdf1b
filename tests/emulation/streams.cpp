/* streams.cpp - streams and events, and which of them exist: all work is done by the time a call returns. */
#include <chrono>
#include <memory>
#include <unordered_map>

#include "device.h"
#include "emulation.h"

struct emulation_stream {
};

struct emulation_event {
    bool timed;
    bool recorded = false;
    std::chrono::steady_clock::time_point time{};
};

namespace
{

struct handles {
    std::unordered_map<cudaStream_t, std::unique_ptr<emulation_stream>> streams;
    std::unordered_map<cudaEvent_t, std::unique_ptr<emulation_event>> events;
    int of_libraries = 0;
};

handles live;

bool is_event(cudaEvent_t event)
{
    return live.events.find(event) != live.events.end();
}

} // namespace

bool emulation_is_stream(cudaStream_t stream)
{
    return stream == nullptr || live.streams.find(stream) != live.streams.end();
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
        auto made = std::make_unique<emulation_stream>();
        *stream = made.get();
        live.streams.emplace(*stream, std::move(made));
        return cudaSuccess;
    });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    return emulation_release_call(
        [&] { return live.streams.erase(stream) == 1 ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

static cudaError_t check_stream(cudaStream_t stream)
{
    return emulation_call(
        [&] { return emulation_is_stream(stream) ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    return check_stream(stream);
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    return check_stream(stream);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags)
{
    return emulation_call([&] {
        if (flags != 0)
            return cudaErrorInvalidValue;
        return emulation_is_stream(stream) && is_event(event) ? cudaSuccess : cudaErrorInvalidResourceHandle;
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
        if (!is_event(event) || !emulation_is_stream(stream))
            return cudaErrorInvalidResourceHandle;
        event->recorded = true;
        event->time = std::chrono::steady_clock::now();
        return cudaSuccess;
    });
}

static cudaError_t check_event(cudaEvent_t event)
{
    return emulation_call([&] { return is_event(event) ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    return check_event(event);
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    return check_event(event);
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    return emulation_call([&] {
        for (cudaEvent_t event : {start, end})
            if (!is_event(event) || !event->timed || !event->recorded)
                return cudaErrorInvalidResourceHandle;
        *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
        return cudaSuccess;
    });
}
