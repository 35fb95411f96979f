// Where a text is wrong of which simdjson only says that it is. Slow, and only for the message.
#pragma once

#include <cstddef>

namespace torch_serving {

// The first byte that starts no UTF-8 sequence.
size_t locate_bad_encoding(const char* text, size_t length) noexcept;

// The first control character in a string, else the opening quote of the last one.
size_t locate_bad_string(const char* text, size_t length) noexcept;

}  // namespace torch_serving
