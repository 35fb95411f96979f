// Shapes and values of tensors, from an indexed document into the caller's memory.
//
// Rules of this file:
// - A shape is believed only after the values have been counted: memory is allocated for
//   numbers that are there, never for numbers that are only announced.
// - Nested arrays are walked to the end before their shape is returned, for the same reason.
#pragma once

#include <cstdint>

#include "document/document.h"
#include "tensors/elements.h"

namespace torch_serving {

// numpy took no more dimensions than this before 2.0; models have at most six or so.
constexpr int MAX_RANK = 32;

struct Shape {
    int64_t dims[MAX_RANK];
    int rank;
    int64_t count;  // the product
};

// An error and its location: a node, and the element where that node is a run.
struct LocatedError {
    Error error;
    NodeId node;
    int64_t element;  // -1: the node itself
};

// Read a declared shape: an array of non-negative integers whose size in bytes has less than 64
// bits, zeros aside (a zero must not hide an overflow: consumers multiply prefixes).
LocatedError read_shape(Document* document, NodeId node, Shape* shape) noexcept;

// The shape of nested arrays; `count` scalars are there. A lone scalar has rank 0.
LocatedError measure(const Document& document, NodeId node, Shape* shape) noexcept;

// Read all scalars below `node`, in order, into `out`, which has room for what `measure` counted.
LocatedError read_values(Document* document, NodeId node, Element element, size_t item_bytes,
                         void* out) noexcept;

}  // namespace torch_serving
