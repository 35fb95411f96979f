// What a scalar's text is: where it ends, and which word or string it spells. Nothing beyond `end`
// is read.
#pragma once

#include <string_view>

namespace torch_serving {

// A table, not a comparison: signs come at random, and a branch on them is mispredicted.
struct NumberStarts {
    bool values[256] = {};
    constexpr NumberStarts() noexcept {
        for (int c = '0'; c <= '9'; ++c) values[c] = true;
        values[static_cast<int>('-')] = true;
    }
};
constexpr NumberStarts NUMBER_STARTS;

inline bool starts_number(char c) noexcept {
    return NUMBER_STARTS.values[static_cast<unsigned char>(c)];
}

inline bool is_space(char c) noexcept { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

inline bool ends_scalar(char c) noexcept {
    return is_space(c) || c == ',' || c == ':' || c == ']' || c == '}';
}

// Whether this word stands at `at`, and ends there.
bool is_literal(const char* at, const char* end, std::string_view literal) noexcept;

// Whether one of the words NaN, Infinity and -Infinity stands at `at`.
bool is_non_finite(const char* at, const char* end) noexcept;

// The closing quote at or behind `at` of a string whose content starts at `start`, or nullptr.
const char* closing_quote(const char* start, const char* at, const char* end) noexcept;

// What stands between the quotes of a string that is known to be closed.
std::string_view string_content(const char* opening, const char* end) noexcept;

// Whether the string that opens at `at` is this word.
bool spells(const char* at, const char* end, std::string_view word) noexcept;

}  // namespace torch_serving
