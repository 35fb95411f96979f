// Streams, each with a thread that does its work in order, and events.
#include <algorithm>
#include <chrono>

#include "card.h"

namespace card {
namespace {

double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

void finish(const std::shared_ptr<Ticket>& ticket) {
    if (!ticket || world().broken) return;
    ticket->is_done = true;
    ticket->time_s = now_s();
}

[[noreturn]] void work_on(Stream* stream) {
    World& all = world();
    Lock lock(all.mutex);
    for (;;) {
        stream->wake.wait(lock, [stream] { return !stream->tasks.empty(); });
        Task task = std::move(stream->tasks.front());
        stream->tasks.pop_front();
        stream->is_busy = true;
        const bool is_wanted = task.work && !all.broken;
        lock.unlock();
        const int error = is_wanted ? task.work() : 0;
        task.work = nullptr;  // calls Python, which may wait for one that waits for the lock
        lock.lock();
        if (all.broken == 0) all.broken = error;
        finish(task.ticket);
        stream->is_busy = false;
        all.changed.notify_all();
    }
}

Capture* capture_of(const Event* event) {
    auto found = world().captures.find(event->capture);
    return found == world().captures.end() ? nullptr : found->second;
}

// An event of a capture marks a place in a graph, where nothing ever happens.
int refuse_captured(const Event* event) {
    if (event->capture == 0) return 0;
    if (Capture* capture = capture_of(event)) capture->is_invalid = true;
    return cudaErrorCapturedEvent;
}

int refuse_look_at(const Event* event) {
    if (int error = open_card(current_device())) return error;
    if (int error = refuse_in_capture()) return error;
    return refuse_captured(event);
}

int wait_in_capture(Stream* stream, const Event* event) {
    Capture* capture = capture_of(event);
    if (!capture) return cudaErrorCapturedEvent;
    if (!stream->capture) {  // the stream joins
        stream->capture = capture;
        stream->captured = stream->joined = 0;
        capture->streams.insert(stream);
    }
    if (stream->capture != capture) {
        capture->is_invalid = stream->capture->is_invalid = true;
        return cudaErrorStreamCaptureMerge;
    }
    if (stream == capture->origin) {
        event->stream->joined = std::max(event->stream->joined, event->captured);
    }
    ++stream->captured;
    return 0;
}

int invalidate(Stream* stream) {
    stream->capture->is_invalid = true;
    return cudaErrorStreamCaptureUnsupported;
}

}  // namespace

Stream* stream_of(const void* handle) {
    const auto number = reinterpret_cast<std::uintptr_t>(handle);
    if (number > 2) return static_cast<Stream*>(const_cast<void*>(handle));
    Stream*& found = world().default_streams[current_device()];
    if (!found) {
        found = new Stream;
        found->device = current_device();
        world().streams.push_back(found);
    }
    return found;
}

void push(Stream* stream, Work work, std::shared_ptr<Ticket> ticket) {
    if (!stream->is_started) {
        stream->is_started = true;
        std::thread(work_on, stream).detach();
    }
    stream->tasks.push_back({std::move(work), std::move(ticket)});
    stream->wake.notify_one();
}

int submit(const void* handle, const Work& work) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return error;
    Stream* stream = stream_of(handle);
    if (!stream->capture) {
        push(stream, work);
        return 0;
    }
    if (stream->capture->is_invalid) return cudaErrorStreamCaptureInvalidated;
    stream->capture->graph->push_back(work);
    ++stream->captured;
    return 0;
}

bool is_idle(const Stream* stream) { return stream->tasks.empty() && !stream->is_busy; }

int wait_for(const std::shared_ptr<Ticket>& ticket, Lock& lock) {
    World& all = world();
    all.changed.wait(lock, [&] { return ticket->is_done || all.broken; });
    return state();
}

int wait_for_stream(Stream* stream, Lock& lock) {
    if (is_idle(stream)) return state();
    auto ticket = std::make_shared<Ticket>();
    push(stream, nullptr, ticket);
    return wait_for(ticket, lock);
}

int wait_for_card(int device, Lock& lock) {
    const std::vector<Stream*> streams = world().streams;
    for (Stream* stream : streams) {
        if (stream->device != device) continue;
        if (int error = wait_for_stream(stream, lock)) return error;
    }
    return state();
}

}  // namespace card

using namespace card;

extern "C" {

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* made, unsigned, int priority) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    auto* stream = new Stream;
    stream->device = current_device();
    stream->priority = priority;
    world().streams.push_back(stream);
    *made = reinterpret_cast<cudaStream_t>(stream);
    return answer(0);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* made, unsigned flags) {
    return cudaStreamCreateWithPriority(made, flags, 0);
}

cudaError_t cudaStreamCreate(cudaStream_t* made) {
    return cudaStreamCreateWithPriority(made, 0, 0);
}

cudaError_t cudaStreamDestroy(cudaStream_t) { return answer(0); }  // torch keeps its streams

cudaError_t cudaStreamGetPriority(cudaStream_t handle, int* priority) {
    Lock lock(world().mutex);
    *priority = stream_of(handle)->priority;
    return answer(0);
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    Stream* stream = stream_of(handle);
    if (stream->capture) return answer(invalidate(stream));
    if (int error = refuse_in_capture()) return answer(error);
    return answer(wait_for_stream(stream, lock));
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    Stream* stream = stream_of(handle);
    if (stream->capture) return answer(invalidate(stream));
    return answer(is_idle(stream) ? 0 : cudaErrorNotReady);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    Stream* stream = stream_of(handle);
    const auto* event = reinterpret_cast<Event*>(event_handle);
    if (event->capture) return answer(wait_in_capture(stream, event));
    const auto ticket = event->ticket;
    if (!ticket) return answer(0);
    if (stream->capture) {
        stream->capture->is_invalid = true;
        return answer(cudaErrorStreamCaptureIsolation);
    }
    push(stream, [ticket] {
        Lock turn(world().mutex);
        wait_for(ticket, turn);
        return 0;
    });
    return answer(0);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* argument) {
    return answer(submit(handle, [function, argument] {
        function(argument);
        return 0;
    }));
}

cudaError_t cudaStreamAddCallback(cudaStream_t handle, cudaStreamCallback_t function,
                                  void* argument, unsigned) {
    return answer(submit(handle, [handle, function, argument] {
        function(handle, cudaSuccess, argument);
        return 0;
    }));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* made, unsigned flags) {
    if (int error = open_current()) return answer(error);
    auto* event = new Event;
    event->has_time = (flags & cudaEventDisableTiming) == 0;
    *made = reinterpret_cast<cudaEvent_t>(event);
    return answer(0);
}

cudaError_t cudaEventCreate(cudaEvent_t* made) { return cudaEventCreateWithFlags(made, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    Lock lock(world().mutex);
    if (int error = state()) return answer(error);
    delete reinterpret_cast<Event*>(handle);
    return answer(0);
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t handle, cudaStream_t stream_handle, unsigned) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    Stream* stream = stream_of(stream_handle);
    auto* event = reinterpret_cast<Event*>(handle);
    event->ticket = nullptr;
    event->stream = stream;
    event->capture = 0;
    if (stream->capture) {
        if (stream->capture->is_invalid) return answer(cudaErrorStreamCaptureInvalidated);
        event->capture = stream->capture->number;
        event->captured = stream->captured;
        return answer(0);
    }
    event->ticket = std::make_shared<Ticket>();
    push(stream, nullptr, event->ticket);
    return answer(0);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    return cudaEventRecordWithFlags(event, stream, 0);
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
    Lock lock(world().mutex);
    const auto* event = reinterpret_cast<Event*>(handle);
    if (int error = refuse_look_at(event)) return answer(error);
    return answer(!event->ticket || event->ticket->is_done ? 0 : cudaErrorNotReady);
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    Lock lock(world().mutex);
    const auto* event = reinterpret_cast<Event*>(handle);
    if (int error = refuse_look_at(event)) return answer(error);
    const auto ticket = event->ticket;
    return answer(ticket ? wait_for(ticket, lock) : 0);
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from_handle, cudaEvent_t to_handle) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    const auto* from = reinterpret_cast<Event*>(from_handle);
    const auto* to = reinterpret_cast<Event*>(to_handle);
    const bool have_times = from->has_time && to->has_time && from->ticket && to->ticket;
    if (!have_times) return answer(cudaErrorInvalidResourceHandle);
    if (!from->ticket->is_done || !to->ticket->is_done) return answer(cudaErrorNotReady);
    *ms = static_cast<float>((to->ticket->time_s - from->ticket->time_s) * 1e3);
    return answer(0);
}

}  // extern "C"
