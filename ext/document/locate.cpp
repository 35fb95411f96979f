#include "document/locate.h"

namespace torch_serving {

// How many bytes the UTF-8 sequence at `at` has, or 0 if it is none.
static int sequence_length(const unsigned char* at, const unsigned char* end) noexcept {
    const unsigned char lead = *at;
    if (lead < 0x80) return 1;
    const int length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || end - at < length) return 0;
    for (int i = 1; i < length; ++i) {
        if ((at[i] & 0xC0) != 0x80) return 0;
    }
    const bool overlong = (lead == 0xE0 && at[1] < 0xA0) || (lead == 0xF0 && at[1] < 0x90);
    const bool beyond = (lead == 0xED && at[1] > 0x9F) || (lead == 0xF4 && at[1] > 0x8F);
    return overlong || beyond ? 0 : length;
}

size_t locate_bad_encoding(const char* text, size_t length) noexcept {
    const auto* start = reinterpret_cast<const unsigned char*>(text);
    const auto* at = start;
    const auto* end = start + length;
    while (at != end) {
        const int bytes = sequence_length(at, end);
        if (bytes == 0) break;
        at += bytes;
    }
    return static_cast<size_t>(at - start);
}

size_t locate_bad_string(const char* text, size_t length) noexcept {
    bool inside = false;
    size_t opening = 0;
    for (size_t i = 0; i < length; ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c == '"') {
            inside = !inside;
            if (inside) opening = i;
        } else if (inside && c == '\\') {
            ++i;
        } else if (inside && c < 0x20) {
            return i;
        }
    }
    return opening;
}

}  // namespace torch_serving
