// How a float looks as JSON: 0.0001, 123.0 or 1.5e16, always with a point or an exponent.
//
// `point` is the place of the point in the digits: 0.d1d2d3... * 10^point.
#pragma once

#include <cstring>
#include <string_view>

namespace torch_serving {

constexpr int HIGHEST_POINT = 16;  // 1e15 is written out, 1e16 is not; as Python does
constexpr int LOWEST_POINT = -3;   // 0.0001 is written out, 0.00001 is not

constexpr bool is_plain(int point) noexcept {
    return LOWEST_POINT <= point && point <= HIGHEST_POINT;
}

// Without its sign; `count` digits, the last other than zero.
constexpr int plain_length(int count, int point) noexcept {
    if (point <= 0) return 2 - point + count;
    return (count > point ? count : point + 1) + 1;
}

// Without its exponent.
constexpr int scientific_length(int count) noexcept { return count > 1 ? count + 1 : 1; }

constexpr char* put_exponent(char* out, int exponent) noexcept {
    *out++ = 'e';
    if (exponent < 0) *out++ = '-';
    const int size = exponent < 0 ? -exponent : exponent;
    if (size >= 100) *out++ = static_cast<char>('0' + size / 100);
    if (size >= 10) *out++ = static_cast<char>('0' + size / 10 % 10);
    *out++ = static_cast<char>('0' + size % 10);
    return out;
}

// With a comma, and the sign that the next number may have.
inline char* write_special(char* out, bool negative, bool nan) noexcept {
    const std::string_view word = nan        ? "\"NaN\",-"
                                  : negative ? "\"-Infinity\",-"
                                             : "\"Infinity\",-";
    std::memcpy(out, word.data(), word.size());
    return out + word.size() - 1;
}

}  // namespace torch_serving
