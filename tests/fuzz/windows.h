// A body that is indexed window by window, against the same one that is indexed as a whole.
#pragma once

#include <cstddef>
#include <string_view>

namespace fuzz {

// Neither the values, nor the errors, nor their locations differ.
void compare_windows(std::string_view body, size_t window_bytes);

}  // namespace fuzz
