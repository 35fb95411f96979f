#include "failing_memory.h"

#include <cstdlib>
#include <new>

namespace fuzz {

long allocations_left = -1;

namespace {

void* allocate(size_t bytes) noexcept {
    if (allocations_left == 0) return nullptr;
    if (allocations_left > 0) --allocations_left;
    return std::malloc(bytes > 0 ? bytes : 1);
}

void* allocate_or_throw(size_t bytes) {
    void* memory = allocate(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

}  // namespace fuzz

void* operator new(size_t bytes) { return fuzz::allocate_or_throw(bytes); }
void* operator new[](size_t bytes) { return fuzz::allocate_or_throw(bytes); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return fuzz::allocate(bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return fuzz::allocate(bytes); }

// `realloc` is linked with --wrap.
extern "C" void* __real_realloc(void* memory, size_t bytes);
extern "C" void* __wrap_realloc(void* memory, size_t bytes) {
    return fuzz::allocations_left == 0 ? nullptr : __real_realloc(memory, bytes);
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
