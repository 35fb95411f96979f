#include "document/nodes.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace torch_serving {

namespace {

constexpr size_t FIRST_BYTES = 256;
// Children move together behind short numbers, at each level anew, if they are no more than this:
// enough for what is just nested deeply, and the numbers of what has more of them hardly count.
constexpr size_t MOST_MOVED = 1024;

}  // namespace

Nodes::~Nodes() { std::free(bytes_); }

int Nodes::width_of(size_t value) noexcept {
    return value == 0 ? 0 : value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : 3;
}

uint8_t* Nodes::store(uint8_t* at, int width, uint32_t value) noexcept {
    if (width == 1) {
        *at = static_cast<uint8_t>(value);
        return at + 1;
    }
    if (width == 2) {
        std::memcpy(at, &value, 2);  // little-endian, as all machines that simdjson is fast on
        return at + 2;
    }
    std::memcpy(at, &value, 4);
    return at + 4;
}

void Nodes::reserve(size_t bytes) noexcept {
    if (bytes > capacity_) resize(bytes);
}

void Nodes::resize(size_t bytes) noexcept {
    auto* memory = static_cast<uint8_t*>(std::realloc(bytes_, bytes));
    if (memory == nullptr) return;
    bytes_ = memory;
    capacity_ = bytes;
}

void Nodes::grow() {
    const size_t before = capacity_;
    reserve(std::max(FIRST_BYTES, 2 * capacity_));
    if (capacity_ == before) throw std::bad_alloc();
}

uint32_t Nodes::begin(Kind kind, uint32_t key) {
    if (size_ > UINT32_MAX - MOST_BYTES) throw std::bad_alloc();  // offsets have 32 bits
    if (capacity_ - size_ < MOST_BYTES) grow();
    const auto record = static_cast<uint32_t>(size_);
    bytes_[size_++] = static_cast<uint8_t>(kind);
    if (key != NO_KEY) {
        bytes_[record] |= MEMBER;
        size_ = store(bytes_ + size_, 3, key) - bytes_;
    }
    return record;
}

void Nodes::add_run(uint32_t count, uint32_t key) {
    const uint32_t record = begin(Kind::run, key);
    if (count == 0) {
        bytes_[record] |= CHECKED;
        return;
    }
    ++unchecked_;
    const int width = count <= UINT8_MAX ? 1 : width_of(count);
    bytes_[record] |= width << WIDTH;
    size_ = store(bytes_ + size_, width, count) - bytes_;
}

uint32_t Nodes::open(Kind kind, uint32_t key) {
    const uint32_t record = begin(kind, key);
    size_ += 12;
    return record;
}

void Nodes::close(uint32_t record, uint32_t count, uint32_t tokens) {
    uint8_t* numbers = bytes_ + record + (bytes_[record] & MEMBER ? 5 : 1);
    const uint8_t* children = numbers + 12;
    const size_t below = bytes_ + size_ - children;
    if (count == 0) {
        size_ -= 12;
        return;
    }
    const int width = below > MOST_MOVED ? 3 : width_of(std::max<size_t>({count, tokens, below}));
    bytes_[record] |= width << WIDTH;
    numbers = store(numbers, width, count);
    numbers = store(numbers, width, tokens);
    numbers = store(numbers, width, static_cast<uint32_t>(below));
    if (numbers != children) std::memmove(numbers, children, below);
    size_ = numbers + below - bytes_;
}

void Nodes::release(size_t kept) noexcept {
    if (capacity_ <= kept) return;
    std::free(bytes_);
    bytes_ = nullptr;
    size_ = capacity_ = unchecked_ = 0;
}

}  // namespace torch_serving
