// Memory of the device and of the host, and copies between them.
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "card.h"

namespace card {
namespace {

constexpr std::size_t kStagedBytes = 64 << 10;  // a copy of less takes its memory along at once

Work copying(void* to, const void* from, std::size_t bytes) {
    return [to, from, bytes] {
        sleep_us(shared().copy_us);
        std::memcpy(to, from, bytes);
        return 0;
    };
}

Work writing(void* to, std::string text) {
    return [to, text = std::move(text)] {
        sleep_us(shared().copy_us);
        std::memcpy(to, text.data(), text.size());
        return 0;
    };
}

int wait_for_handle(const void* handle) {
    Lock lock(world().mutex);
    return wait_for_stream(stream_of(handle), lock);
}

// Memory that is not pinned is read before the call returns, and written before it returns.
int copy(void* to, const void* from, std::size_t bytes, const void* handle) {
    ++shared().copies;
    Kind source, target;
    bool is_captured;
    {
        Lock lock(world().mutex);
        if (int error = open_card(current_device())) return error;
        source = kind_of(from);
        target = kind_of(to);
        is_captured = stream_of(handle)->capture != nullptr;
    }
    const bool is_pageable = source == Kind::kUnknown || target == Kind::kUnknown;
    if (is_captured || !is_pageable) return submit(handle, copying(to, from, bytes));
    if (source == Kind::kUnknown && target == Kind::kDevice) {
        if (bytes > kStagedBytes) {
            if (int error = wait_for_handle(handle)) return error;
        }
        return submit(handle, writing(to, {static_cast<const char*>(from), bytes}));
    }
    if (int error = submit(handle, copying(to, from, bytes))) return error;
    return wait_for_handle(handle);
}

cudaError_t forget(void* memory, Kind kind) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    if (int error = refuse_in_capture()) return answer(error);
    const auto found = world().blocks.find(static_cast<char*>(memory));
    if (found == world().blocks.end() || found->second.kind != kind) {
        return answer(cudaErrorInvalidValue);
    }
    const Block block = found->second;
    for (int device = 0; device < device_count(); ++device) {
        if (int error = wait_for_card(device, lock)) return answer(error);
    }
    world().blocks.erase(static_cast<char*>(memory));
    if (kind == Kind::kDevice) {
        give_back(block.device, static_cast<long>(block.bytes));
        munmap(memory, block.bytes);
    }
    return answer(0);
}

}  // namespace

const Block* block_of(const void* memory) {
    auto* const place = static_cast<char*>(const_cast<void*>(memory));
    auto next = world().blocks.upper_bound(place);
    if (next == world().blocks.begin()) return nullptr;
    --next;
    return place < next->first + next->second.bytes ? &next->second : nullptr;
}

Kind kind_of(const void* memory) {
    const Block* block = block_of(memory);
    return block ? block->kind : Kind::kUnknown;
}

}  // namespace card

using namespace card;

extern "C" {

// Whether all of some memory is the card's.
int simulated_card_has(const void* memory, std::size_t bytes) {
    Lock lock(world().mutex);
    const Block* block = block_of(memory);
    const auto* last = static_cast<const char*>(memory) + bytes - 1;
    return block && block->kind == Kind::kDevice && block_of(last) == block;
}

cudaError_t cudaMalloc(void** made, std::size_t bytes) {
    Lock lock(world().mutex);
    const int device = current_device();
    if (int error = open_card(device)) return answer(error);
    if (int error = refuse_in_capture()) return answer(error);
    ++shared().device_blocks;
    if (!take(device, static_cast<long>(bytes))) return answer(cudaErrorMemoryAllocation);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return answer(cudaErrorMemoryAllocation);
    world().blocks[static_cast<char*>(memory)] = {bytes, device, Kind::kDevice};
    *made = memory;
    return answer(0);
}

cudaError_t cudaFree(void* memory) {
    return memory ? forget(memory, Kind::kDevice) : answer(open_current());
}

cudaError_t cudaHostRegister(void* memory, std::size_t bytes, unsigned) {
    Lock lock(world().mutex);
    if (int error = open_card(current_device())) return answer(error);
    world().blocks[static_cast<char*>(memory)] = {bytes, 0, Kind::kHost};
    return answer(0);
}

cudaError_t cudaHostUnregister(void* memory) { return forget(memory, Kind::kHost); }

cudaError_t cudaHostAlloc(void** made, std::size_t bytes, unsigned flags) {
    {
        Lock lock(world().mutex);
        if (int error = open_card(current_device())) return answer(error);
        if (int error = refuse_in_capture()) return answer(error);
    }
    ++shared().host_blocks;
    void* memory = nullptr;
    if (posix_memalign(&memory, 4096, bytes ? bytes : 1)) return answer(cudaErrorMemoryAllocation);
    *made = memory;
    return cudaHostRegister(memory, bytes, flags);
}

cudaError_t cudaFreeHost(void* memory) {
    if (cudaError_t error = forget(memory, Kind::kHost)) return error;
    std::free(memory);
    return answer(0);
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    if (int error = open_current()) return answer(error);
    const long left = total_bytes() - used_bytes(current_device());
    *free = static_cast<std::size_t>(left > 0 ? left : 0);
    *total = static_cast<std::size_t>(total_bytes());
    return answer(0);
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* found, const void* memory) {
    Lock lock(world().mutex);
    if (int error = state()) return answer(error);
    const Block* block = block_of(memory);
    const Kind kind = block ? block->kind : Kind::kUnknown;
    auto* const place = const_cast<void*>(memory);
    found->type = static_cast<cudaMemoryType>(kind);
    found->device = block ? block->device : -2;
    found->devicePointer = block ? place : nullptr;
    found->hostPointer = kind == Kind::kDevice ? nullptr : place;
    return answer(0);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t handle) {
    return answer(bytes ? copy(to, from, bytes, handle) : 0);
}

cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, std::size_t bytes,
                                cudaStream_t handle) {
    return answer(bytes ? copy(to, from, bytes, handle) : 0);
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
    if (int error = copy(to, from, bytes, nullptr)) return answer(error);
    return answer(wait_for_handle(nullptr));
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind, cudaStream_t handle) {
    return answer(submit(handle, [=] {
        sleep_us(shared().copy_us);
        for (std::size_t row = 0; row < height; ++row) {
            std::memcpy(static_cast<char*>(to) + row * to_pitch,
                        static_cast<const char*>(from) + row * from_pitch, width);
        }
        return 0;
    }));
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t handle) {
    return answer(submit(handle, [=] {
        sleep_us(shared().run_us);
        std::memset(memory, value, bytes);
        return 0;
    }));
}

cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
    return cudaMemsetAsync(memory, value, bytes, nullptr);
}

}  // extern "C"
