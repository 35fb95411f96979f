// NVML: cards are counted and watched without opening CUDA.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kInvalidArgument = 2;
constexpr int kNotSupported = 3;
constexpr int kInsufficientSize = 7;

long card_count() {
    const char* text = std::getenv("SIMULATED_CARD_COUNT");
    return text ? std::atol(text) : 1;
}

template <typename Function>
Function* of_runtime(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

extern "C" {

struct Utilization {
    unsigned gpu, memory;
};

struct Memory {
    unsigned long long total, free, used;
};

struct OldProcess {
    unsigned pid;
    unsigned long long bytes;
};

struct Process {
    unsigned pid;
    unsigned long long bytes;
    unsigned gpu_instance, compute_instance;
};

}  // extern "C"

namespace {

template <typename Entry>
int list_processes(long handle, unsigned* count, Entry* found) {
    using Next = int(int, int, unsigned*, unsigned long long*);
    auto* next = of_runtime<Next>("simulated_card_process");
    const unsigned room = *count;
    *count = 0;
    for (int index = -1; next;) {
        Entry one{};
        index = next(index, static_cast<int>(handle) - 1, &one.pid, &one.bytes);
        if (index < 0) break;
        if (found && *count < room) found[*count] = one;
        ++*count;
    }
    return *count > room ? kInsufficientSize : 0;
}

}  // namespace

extern "C" {

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

int nvmlDeviceGetMemoryInfo(long handle, Memory* found) {
    const char* mebibytes = std::getenv("SIMULATED_CARD_MIB");
    found->total = static_cast<unsigned long long>(mebibytes ? std::atol(mebibytes) : 8192) << 20;
    auto* used = of_runtime<long(int)>("simulated_card_bytes");
    found->used = used ? static_cast<unsigned long long>(used(static_cast<int>(handle) - 1)) : 0;
    found->free = found->total - found->used;
    return 0;
}

int nvmlDeviceGetComputeRunningProcesses(long handle, unsigned* count, OldProcess* found) {
    return list_processes(handle, count, found);
}

int nvmlDeviceGetComputeRunningProcesses_v3(long handle, unsigned* count, Process* found) {
    return list_processes(handle, count, found);
}

int nvmlDeviceGetNvLinkRemoteDeviceType() { return kNotSupported; }
int nvmlDeviceGetNvLinkRemotePciInfo_v2() { return kNotSupported; }

int nvmlDeviceGetGpuFabricInfoV(long, char* found) {
    std::memset(found + sizeof(unsigned), 0, 25);  // its state is: not supported
    return 0;
}

}  // extern "C"
