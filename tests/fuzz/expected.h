// What numbers and their texts must be, found another way: slowly, by the C library and the
// language.
#pragma once

#include <string>
#include <string_view>

#include "tensors/elements.h"

namespace fuzz {

using torch_serving::Element;

constexpr int ELEMENTS = 13;
constexpr size_t ITEM_BYTES[ELEMENTS] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};

inline size_t bytes_of(Element element) { return ITEM_BYTES[static_cast<int>(element)]; }

// A value's bits, from memory of any alignment, and from the lowest bit on.
uint64_t bits_at(Element element, const char* memory);

// Whether the whole of it is a JSON number.
bool is_json_number(std::string_view text);

// What a scalar of a document must be read as; `string` is the content of one in quotes.
struct Expected {
    bool readable;
    uint64_t bits;
};
Expected expected_bits(Element element, std::string_view raw, std::string_view string);

// How a value must be written.
std::string expected_text(Element element, uint64_t bits);

}  // namespace fuzz
