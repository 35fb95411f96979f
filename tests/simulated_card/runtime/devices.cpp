// Devices and errors. A process that forks after it looked at a card can't use one any more.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "card.h"

namespace card {
namespace {

constexpr long kContextBytes = 500L << 20;  // what CUDA takes for each process
thread_local int last_error = 0;
thread_local int device = 0;

int look() {
    World& all = world();
    if (all.pid == 0) all.pid = this_process();
    return all.pid == this_process() ? 0 : cudaErrorInitializationError;
}

const std::map<int, std::pair<const char*, const char*>> kErrors = {
    {0, {"cudaSuccess", "no error"}},
    {1, {"cudaErrorInvalidValue", "invalid argument"}},
    {2, {"cudaErrorMemoryAllocation", "out of memory"}},
    {3, {"cudaErrorInitializationError", "initialization error"}},
    {46, {"cudaErrorDevicesUnavailable", "CUDA-capable device(s) is/are busy or unavailable"}},
    {98, {"cudaErrorInvalidDeviceFunction", "invalid device function"}},
    {100, {"cudaErrorNoDevice", "no CUDA-capable device is detected"}},
    {101, {"cudaErrorInvalidDevice", "invalid device ordinal"}},
    {214, {"cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"}},
    {400, {"cudaErrorInvalidResourceHandle", "invalid resource handle"}},
    {600, {"cudaErrorNotReady", "device not ready"}},
    {700, {"cudaErrorIllegalAddress", "an illegal memory access was encountered"}},
    {710, {"cudaErrorAssert", "device-side assert triggered"}},
    {719, {"cudaErrorLaunchFailure", "unspecified launch failure"}},
    {801, {"cudaErrorNotSupported", "operation not supported"}},
    {900,
     {"cudaErrorStreamCaptureUnsupported", "operation not permitted when stream is capturing"}},
    {901,
     {"cudaErrorStreamCaptureInvalidated",
      "operation failed due to a previous error during capture"}},
    {904, {"cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"}},
    {905,
     {"cudaErrorStreamCaptureIsolation",
      "dependency created on uncaptured work in another stream"}},
    {907,
     {"cudaErrorCapturedEvent",
      "operation not permitted on an event last recorded in a capturing stream"}},
};

}  // namespace

World& world() {
    static auto* const all = new World;  // threads use it until the process ends
    return *all;
}

int current_device() { return device; }
void set_current_device(int chosen) { device = chosen; }

cudaError_t answer(int error) {
    if (error != 0) last_error = error;
    return static_cast<cudaError_t>(error);
}

int state() {
    World& all = world();
    if (int error = look()) return error;
    const int faulty = shared().faulty_card;
    if (all.broken == 0 && (faulty == 0 || all.is_open[faulty - 1])) all.broken = shared().fault;
    return all.broken;
}

int open_card(int wanted) {
    World& all = world();
    if (int error = state()) return error;
    if (all.is_open[wanted]) return 0;
    if (shared().faulty_card == wanted + 1 && shared().fault) return shared().fault;
    if (shared().is_busy) return cudaErrorDevicesUnavailable;
    if (!take(wanted, kContextBytes)) return cudaErrorMemoryAllocation;
    all.is_open[wanted] = true;
    return 0;
}

int open_current() {
    Lock lock(world().mutex);
    return open_card(device);
}

}  // namespace card

using namespace card;

extern "C" {

int simulated_card_error() {
    Lock lock(world().mutex);
    return world().broken;
}

cudaError_t cudaGetDeviceCount(int* count) {
    Lock lock(world().mutex);
    if (int error = look()) return answer(error);
    *count = device_count();
    return answer(*count ? 0 : cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int chosen) {
    Lock lock(world().mutex);
    if (int error = look()) return answer(error);
    if (chosen < 0 || chosen >= device_count()) return answer(cudaErrorInvalidDevice);
    set_current_device(chosen);
    return answer(open_card(chosen));
}

cudaError_t cudaGetDevice(int* chosen) {
    Lock lock(world().mutex);
    if (int error = look()) return answer(error);
    *chosen = current_device();
    return answer(0);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* found, int which) {
    std::memset(found, 0, sizeof *found);
    std::snprintf(found->name, sizeof found->name, "Simulated card");
    found->uuid.bytes[0] = static_cast<char>(which);
    found->totalGlobalMem = static_cast<std::size_t>(total_bytes());
    found->major = 9;
    found->multiProcessorCount = 132;
    found->warpSize = 32;
    found->maxThreadsPerBlock = 1024;
    found->maxThreadsPerMultiProcessor = 2048;
    found->regsPerBlock = found->regsPerMultiprocessor = 65536;
    found->sharedMemPerBlock = 48 << 10;
    found->sharedMemPerBlockOptin = found->sharedMemPerMultiprocessor = 227 << 10;
    found->l2CacheSize = 50 << 20;
    std::fill_n(found->maxThreadsDim, 3, 1024);
    std::fill_n(found->maxGridSize, 3, 65535);
    found->unifiedAddressing = found->canMapHostMemory = found->concurrentKernels = 1;
    return answer(0);
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    switch (attribute) {
        case cudaDevAttrComputeCapabilityMajor:
            *value = 9;
            break;
        case cudaDevAttrMultiProcessorCount:
            *value = 132;
            break;
        case cudaDevAttrMaxThreadsPerBlock:
            *value = 1024;
            break;
        case cudaDevAttrWarpSize:
            *value = 32;
            break;
        default:
            *value = 0;
    }
    return answer(0);
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int size, int which) {
    std::snprintf(text, static_cast<std::size_t>(size), "0000:%02x:00.0", which + 1);
    return answer(0);
}

cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
    *can = 0;
    return answer(0);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    *least = 0;
    *greatest = -5;
    return answer(0);
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = CUDART_VERSION;
    return answer(0);
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = CUDART_VERSION;
    return answer(0);
}

cudaError_t cudaDeviceSynchronize() {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    if (int error = refuse_in_capture()) return answer(error);
    return answer(wait_for_card(current_device(), lock));
}

const char* cudaGetErrorName(cudaError_t error) {
    auto found = kErrors.find(error);
    return found == kErrors.end() ? "cudaErrorUnknown" : found->second.first;
}

const char* cudaGetErrorString(cudaError_t error) {
    auto found = kErrors.find(error);
    return found == kErrors.end() ? "unknown error" : found->second.second;
}

cudaError_t cudaPeekAtLastError() {
    Lock lock(world().mutex);
    return static_cast<cudaError_t>(world().broken ? world().broken : last_error);
}

cudaError_t cudaGetLastError() {
    const cudaError_t error = cudaPeekAtLastError();
    last_error = 0;
    return error;
}

}  // extern "C"
