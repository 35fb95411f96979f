// NVML: cards are counted and watched without opening CUDA.
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kInvalidArgument = 2;
constexpr int kNotSupported = 3;

long card_count() {
    const char* text = std::getenv("SIMULATED_CARD_COUNT");
    return text ? std::atol(text) : 1;
}

}  // namespace

extern "C" {

struct Utilization {
    unsigned gpu, memory;
};

int nvmlInit() { return 0; }
int nvmlInit_v2() { return 0; }
int nvmlInitWithFlags(unsigned) { return 0; }
int nvmlShutdown() { return 0; }
const char* nvmlErrorString(int error) { return error ? "error" : "success"; }

int nvmlSystemGetCudaDriverVersion_v2(int* version) {
    *version = 13000;
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = static_cast<unsigned>(card_count());
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, long* handle) {
    if (index >= card_count()) return kInvalidArgument;
    *handle = index + 1;
    return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char* bus, long* handle) {
    unsigned number = 1;
    std::sscanf(bus, "0000:%x", &number);
    *handle = number;
    return 0;
}

int nvmlDeviceGetUUID(long handle, char* text, unsigned size) {
    std::snprintf(text, size, "GPU-%08lx-0000-0000-0000-000000000000", handle - 1);
    return 0;
}

int nvmlDeviceGetUtilizationRates(long, Utilization* found) {
    *found = {42, 7};
    return 0;
}

int nvmlDeviceGetComputeRunningProcesses(long, unsigned* count, void*) {
    *count = 0;
    return 0;
}

int nvmlDeviceGetNvLinkRemoteDeviceType() { return kNotSupported; }
int nvmlDeviceGetNvLinkRemotePciInfo_v2() { return kNotSupported; }

int nvmlDeviceGetGpuFabricInfoV(long, char* found) {
    std::memset(found + sizeof(unsigned), 0, 25);  // its state is: not supported
    return 0;
}

}  // extern "C"
