// Text of JSON numbers -> numbers of one element type in the caller's memory.
//
// Every number is correctly rounded once, from its decimal text to the element type; one that the
// type cannot hold is rejected, as is a fraction for an integer type. `1.0` and `1e2` are integers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "document/error.h"

namespace torch_serving {

class Document;

// Complex numbers are interleaved pairs: complex64 is read as twice as many float32.
enum class Element : uint8_t {
    boolean,
    uint8,
    uint16,
    uint32,
    uint64,
    int8,
    int16,
    int32,
    int64,
    float16,
    bfloat16,
    float32,
    float64,
    dimension,  // an int64 that is written with digits only
};

struct Reading {
    Error error;
    uint32_t index;  // of the element that could not be read
};

// Read `count` scalars that stand at tokens `first`, `first + 2`, ... into `out`, which has room
// for them. Floats also take the strings "NaN", "Infinity" and "-Infinity".
Reading read_numbers(Document* document, uint32_t first, uint32_t count, Element element,
                     void* out) noexcept;

}  // namespace torch_serving
