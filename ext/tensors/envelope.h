// The words of the wire contract: what an envelope `{"type": ..., "value": ...}` may say.
#pragma once

#include <cstdint>
#include <string_view>

#include "document/document.h"
#include "tensors/elements.h"

namespace torch_serving {

enum class Type : int {
    unknown = -1,
    tensor,
    tensor_list,
    tensor_dict,
    generic_dict,
    scalar,
    string,
    none,
    named_tuple,
    image,
    enumeration,
};

// How a `data_type` is read: complex numbers are pairs of floats.
struct DataType {
    std::string_view name;
    Element element;
    uint8_t components;
};

constexpr DataType DATA_TYPES[] = {
    {"bool", Element::boolean, 1},       {"uint8", Element::uint8, 1},
    {"uint16", Element::uint16, 1},      {"uint32", Element::uint32, 1},
    {"uint64", Element::uint64, 1},      {"int8", Element::int8, 1},
    {"int16", Element::int16, 1},        {"int32", Element::int32, 1},
    {"int64", Element::int64, 1},        {"float16", Element::float16, 1},
    {"bfloat16", Element::bfloat16, 1},  {"float32", Element::float32, 1},
    {"float64", Element::float64, 1},    {"complex64", Element::float32, 2},
    {"complex128", Element::float64, 2},
};

constexpr NodeId ABSENT = 0;  // the root is no member of anything

// Keys of envelopes, as bits in the order of Envelope's members.
enum Key : uint32_t {
    TYPE = 1,
    DATA_TYPE = 2,
    SHAPE = 4,
    VALUE = 8,
    KEY_TYPE = 16,
    MODE = 32,
    LAYOUT = 64,
    BATCH = 128,
    NAME = 256,
    UNKNOWN_KEY = 512,
};

// Which keys an envelope may have; in the order of Type.
constexpr uint32_t ALLOWED_KEYS[] = {
    TYPE | VALUE | DATA_TYPE | SHAPE,
    TYPE | VALUE,
    TYPE | VALUE | KEY_TYPE,
    TYPE | VALUE | KEY_TYPE,
    TYPE | VALUE | DATA_TYPE,
    TYPE | VALUE,
    TYPE | VALUE,
    TYPE | VALUE | NAME,
    TYPE | VALUE | DATA_TYPE | MODE | LAYOUT | BATCH,
    TYPE | VALUE,
};

// The nodes of the members that mean something.
struct Envelope {
    NodeId type = ABSENT;
    NodeId data_type = ABSENT;
    NodeId shape = ABSENT;
    NodeId value = ABSENT;
    NodeId key_type = ABSENT;
    NodeId mode = ABSENT;
    NodeId layout = ABSENT;
    NodeId batch = ABSENT;
    NodeId name = ABSENT;  // results have it; nothing reads it
    uint32_t keys = 0;     // all that there are
};

Type find_type(std::string_view name) noexcept;
// An index into DATA_TYPES, or -1.
int find_data_type(std::string_view name) noexcept;
Key find_key(std::string_view key) noexcept;

// Find the members of an object. A key that stands in it twice, known or not, is an error: readers
// of JSON disagree about which of the two counts.
Error read_envelope(Document* document, NodeId id, Envelope* envelope) noexcept;

}  // namespace torch_serving
