// Operators, which come from Python, and torch's own kernels, of which none runs but the one that
// waits.
#include <cstdio>

#include "card.h"

using namespace card;

namespace {

struct Launch {
    dim3 grid, block;
    std::size_t shared_bytes;
    void* stream;
};
thread_local Launch next_launch;

const char* name_of(const void* kernel) {
    auto found = world().kernels.find(kernel);
    return found == world().kernels.end() ? "an unknown one" : found->second.c_str();
}

}  // namespace

extern "C" {

// Has `run(argument)` called in a stream, once or at each replay, and `drop(argument)` after the
// last time.
int simulated_card_launch(void* handle, int (*run)(void*), void* argument, void (*drop)(void*)) {
    std::shared_ptr<void> held(argument, drop);
    {
        Lock lock(world().mutex);
        if (handle && stream_of(handle)->device != current_device()) {
            return cudaErrorInvalidResourceHandle;
        }
    }
    return submit(handle, [run, held] {
        ++shared().operators;
        sleep_us(shared().run_us);
        return run(held.get());
    });
}

void** __cudaRegisterFatBinary(void*) {
    static void* handle;
    return &handle;
}

void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }
void __cudaRegisterVar(void**, char*, char*, const char*, int, std::size_t, int, int) {}

void __cudaRegisterFunction(void**, const char* kernel, char*, const char* name, int, void*, void*,
                            void*, void*, int*) {
    world().kernels[kernel] = name;
}

cudaError_t __cudaGetKernel(cudaKernel_t* found, const void* kernel) {
    *found = static_cast<cudaKernel_t>(const_cast<void*>(kernel));
    return cudaSuccess;
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t bytes, void* stream) {
    next_launch = {grid, block, bytes, stream};
    return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* bytes, void* stream) {
    *grid = next_launch.grid;
    *block = next_launch.block;
    *bytes = next_launch.shared_bytes;
    *static_cast<void**>(stream) = next_launch.stream;
    return cudaSuccess;
}

cudaError_t cudaLaunchKernel(const void* kernel, dim3, dim3, void** arguments, std::size_t,
                             cudaStream_t stream) {
    const std::string name = name_of(kernel);
    if (name.find("spin_kernel") != std::string::npos) {  // torch.cuda._sleep
        const long cycles = *static_cast<long*>(arguments[0]);
        return answer(submit(stream, [cycles] {
            sleep_us(cycles / 1000);
            return 0;
        }));
    }
    std::fprintf(stderr, "the simulated card does not know this kernel: %s\n", name.c_str());
    return answer(cudaErrorInvalidDeviceFunction);
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                               std::size_t bytes, cudaStream_t stream) {
    return cudaLaunchKernel(kernel, grid, block, arguments, bytes, stream);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel,
                                void** arguments) {
    return cudaLaunchKernel(kernel, config->gridDim, config->blockDim, arguments,
                            config->dynamicSmemBytes, config->stream);
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* found, const void*) {
    *found = {};
    found->maxThreadsPerBlock = 1024;
    found->binaryVersion = found->ptxVersion = 90;
    return answer(0);
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* count, const void*, int,
                                                                   std::size_t, unsigned) {
    *count = 2;
    return answer(0);
}

cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return answer(0); }
cudaError_t cudaProfilerStart() { return answer(0); }
cudaError_t cudaProfilerStop() { return answer(0); }

}  // extern "C"
