// What torch asks of CUDA's driver: contexts, and memory whose addresses are reserved first.
#include <dlfcn.h>
#include <sys/mman.h>

#include <string>

#include "card.h"

using namespace card;

namespace {

constexpr std::size_t kGranularity = 2 << 20;

CUresult result(int error) { return static_cast<CUresult>(error); }

void* reserve(void* place, std::size_t bytes, int flags) {
    return mmap(place, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1,
                0);
}

CUresult refuse() { return CUDA_ERROR_NOT_SUPPORTED; }

void* pointer(CUdeviceptr place) { return reinterpret_cast<void*>(place); }

}  // namespace

extern "C" {

cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** found, unsigned,
                                             unsigned long long,
                                             cudaDriverEntryPointQueryResult* status) {
    static void* const here = dlopen("libcudart.so.13", RTLD_LAZY | RTLD_NOLOAD);
    *found = dlsym(here, name);
    if (!*found) *found = dlsym(here, (std::string(name) + "_v2").c_str());
    if (!*found) *found = reinterpret_cast<void*>(refuse);
    if (status) *status = cudaDriverEntryPointSuccess;
    return answer(0);
}

CUresult cuGetErrorString(CUresult error, const char** text) {
    *text = cudaGetErrorString(static_cast<cudaError_t>(error));
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* found) {
    Lock lock(world().mutex);
    bool* context = &world().is_open[current_device()];
    *found = *context ? reinterpret_cast<CUcontext>(context) : nullptr;
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* is_active) {
    Lock lock(world().mutex);
    *flags = 0;
    *is_active = world().pid == this_process() && world().is_open[device];
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int index) {
    *device = index;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
    *value = attribute == CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED ? 1 : 0;
    if (attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) *value = 9;
    return CUDA_SUCCESS;
}

CUresult cuPointerGetAttribute(void* value, CUpointer_attribute attribute, CUdeviceptr place) {
    Lock lock(world().mutex);
    const Block* block = block_of(pointer(place));
    if (!block) return CUDA_ERROR_INVALID_VALUE;
    if (attribute != CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL) return CUDA_ERROR_NOT_SUPPORTED;
    *static_cast<int*>(value) = block->device;
    return CUDA_SUCCESS;
}

CUresult cuMemGetAllocationGranularity(std::size_t* bytes, const CUmemAllocationProp*,
                                       CUmemAllocationGranularity_flags) {
    *bytes = kGranularity;
    return CUDA_SUCCESS;
}

CUresult cuMemAddressReserve(CUdeviceptr* made, std::size_t bytes, std::size_t, CUdeviceptr,
                             unsigned long long) {
    void* memory = reserve(nullptr, bytes, 0);
    if (memory == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    Lock lock(world().mutex);
    world().blocks[static_cast<char*>(memory)] = {bytes, current_device(), Kind::kDevice};
    *made = reinterpret_cast<CUdeviceptr>(memory);
    return CUDA_SUCCESS;
}

CUresult cuMemAddressFree(CUdeviceptr place, std::size_t bytes) {
    Lock lock(world().mutex);
    world().blocks.erase(static_cast<char*>(pointer(place)));
    munmap(pointer(place), bytes);
    return CUDA_SUCCESS;
}

CUresult cuMemCreate(CUmemGenericAllocationHandle* made, std::size_t bytes,
                     const CUmemAllocationProp* wanted, unsigned long long) {
    Lock lock(world().mutex);
    if (wanted->requestedHandleTypes == CU_MEM_HANDLE_TYPE_FABRIC) return CUDA_ERROR_NOT_SUPPORTED;
    const int device = wanted->location.id;
    if (int error = open_card(device)) return result(error);
    ++shared().device_blocks;
    if (!take(device, static_cast<long>(bytes))) return CUDA_ERROR_OUT_OF_MEMORY;
    *made = ++world().last_physical;
    world().physical[*made] = {bytes, device, Kind::kDevice};
    return CUDA_SUCCESS;
}

CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
    Lock lock(world().mutex);
    auto found = world().physical.find(handle);
    if (found == world().physical.end()) return CUDA_ERROR_INVALID_VALUE;
    give_back(found->second.device, static_cast<long>(found->second.bytes));
    world().physical.erase(found);
    return CUDA_SUCCESS;
}

CUresult cuMemMap(CUdeviceptr place, std::size_t bytes, std::size_t, CUmemGenericAllocationHandle,
                  unsigned long long) {
    const int failed = mprotect(pointer(place), bytes, PROT_READ | PROT_WRITE);
    return failed ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuMemSetAccess(CUdeviceptr, std::size_t, const CUmemAccessDesc*, std::size_t) {
    return CUDA_SUCCESS;
}

CUresult cuMemUnmap(CUdeviceptr place, std::size_t bytes) {
    Lock lock(world().mutex);
    if (int error = state()) return result(error);
    const void* left = reserve(pointer(place), bytes, MAP_FIXED);
    return left == MAP_FAILED ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

}  // extern "C"
