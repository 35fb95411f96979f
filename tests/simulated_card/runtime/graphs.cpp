// Captures and graphs. A graph is the captured work in the order of its capture.
#include "card.h"

namespace card {

// Calls that might wait for a stream that is captured are refused: to the thread that captures, and
// to all threads where a capture of the global mode is under way. The captures are lost.
int refuse_in_capture();

namespace {

thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

bool is_refused(const Capture* capture) {
    const bool is_here = capture->thread == std::this_thread::get_id();
    if (is_here) return capture->mode != cudaStreamCaptureModeRelaxed;
    return capture->mode == cudaStreamCaptureModeGlobal &&
           thread_mode == cudaStreamCaptureModeGlobal;
}

cudaStreamCaptureStatus status_of(const Capture* capture) {
    if (!capture) return cudaStreamCaptureStatusNone;
    return capture->is_invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
}

int end(Capture* capture) {
    int error = capture->is_invalid ? cudaErrorStreamCaptureInvalidated : 0;
    for (Stream* stream : capture->streams) {
        const bool is_joined = stream == capture->origin || stream->captured <= stream->joined;
        if (error == 0 && !is_joined) error = cudaErrorStreamCaptureUnjoined;
        stream->capture = nullptr;
    }
    world().captures.erase(capture->number);
    return error;
}

}  // namespace

int refuse_in_capture() {
    if (thread_mode == cudaStreamCaptureModeRelaxed) return 0;
    int error = 0;
    for (auto& [number, capture] : world().captures) {
        if (!is_refused(capture)) continue;
        capture->is_invalid = true;
        error = cudaErrorStreamCaptureUnsupported;
    }
    return error;
}

}  // namespace card

using namespace card;

extern "C" {

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    std::swap(*mode, thread_mode);
    return answer(0);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    Stream* stream = stream_of(handle);
    if (!handle) return answer(cudaErrorStreamCaptureUnsupported);
    if (stream->capture) return answer(cudaErrorIllegalState);
    auto* capture =
        new Capture{++world().last_capture, mode, std::this_thread::get_id(), stream, {stream}};
    world().captures[capture->number] = capture;
    stream->capture = capture;
    return answer(0);
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* made) {
    std::unique_ptr<Capture> capture;  // without the lock at its end, as work calls Python then
    Lock lock(world().mutex);
    *made = nullptr;
    if (int error = state()) return answer(error);
    Stream* stream = stream_of(handle);
    capture.reset(stream->capture);
    if (!capture) return answer(cudaErrorIllegalState);
    const bool is_here = capture->mode == cudaStreamCaptureModeRelaxed ||
                         capture->thread == std::this_thread::get_id();
    if (capture->origin != stream || !is_here) {
        capture.release()->is_invalid = true;
        return answer(is_here ? cudaErrorStreamCaptureUnmatched
                              : cudaErrorStreamCaptureWrongThread);
    }
    if (int error = end(capture.get())) return answer(error);
    *made = reinterpret_cast<cudaGraph_t>(capture->graph.release());
    return answer(0);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    Lock lock(world().mutex);
    if (int error = state()) return answer(error);
    *status = status_of(stream_of(handle)->capture);
    return answer(0);
}

cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, cudaStreamCaptureStatus* status,
                                     unsigned long long* number, cudaGraph_t* graph,
                                     const cudaGraphNode_t** nodes, const cudaGraphEdgeData** edges,
                                     std::size_t* count) {
    Lock lock(world().mutex);
    if (int error = state()) return answer(error);
    const Capture* capture = stream_of(handle)->capture;
    *status = status_of(capture);
    if (capture && number) *number = capture->number;
    if (capture && graph) *graph = reinterpret_cast<cudaGraph_t>(capture->graph.get());
    if (nodes) *nodes = nullptr;
    if (edges) *edges = nullptr;
    if (count) *count = 0;
    return answer(0);
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* made, cudaGraph_t graph,
                                          unsigned long long) {
    if (int error = open_current()) return answer(error);
    if (!graph) return answer(cudaErrorInvalidValue);
    *made = reinterpret_cast<cudaGraphExec_t>(new Graph(*reinterpret_cast<Graph*>(graph)));
    return answer(0);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t handle) {
    ++shared().replays;
    return answer(submit(handle, [steps = *reinterpret_cast<Graph*>(graph)] {
        for (const Work& step : steps) {
            if (int error = step()) return error;
        }
        return 0;
    }));
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, std::size_t* count) {
    *count = reinterpret_cast<Graph*>(graph)->size();
    return answer(0);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete reinterpret_cast<Graph*>(graph);
    return answer(0);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    delete reinterpret_cast<Graph*>(graph);
    return answer(0);
}

}  // extern "C"
