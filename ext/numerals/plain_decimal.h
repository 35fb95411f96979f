// The fast way to read most numbers: those without an exponent and with at most 19 digits, as in
// `-12.345`. Digits are taken eight at a time, and the length of a number is known beforehand: the
// document has indexed the token behind it. Branches are few, since random lengths mispredict them
// (benchmarks/README.md has the rates).
//
// All functions return false for other text, be it a number or not: elements.cpp reads that slowly.
#pragma once

#include <cstdint>
#include <cstring>

namespace torch_serving {

// A number as it is written: (-1)^negative * mantissa * 10^-places.
struct PlainDecimal {
    uint64_t mantissa;
    uint32_t places;
    bool negative;
};

// Where a number stands: its first character and the next token, in a text that may hold the words
// NaN, Infinity and -Infinity among its numbers.
struct NumberText {
    const char* text;
    const char* at;
    const char* stop;
    const char* end;
    bool non_finite;
};

namespace eight_digits {

constexpr uint64_t ZEROS = 0x3030303030303030;
constexpr uint64_t HIGH_BITS = 0x8080808080808080;

// Characters as a little-endian word in which digits are their values.
inline uint64_t load(const char* at) noexcept {
    uint64_t word;
    std::memcpy(&word, at, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word ^ ZEROS;
}

// The high bit of each byte that is no digit. Above the lowest of them, digits may be marked too.
inline uint64_t others(uint64_t digits) noexcept {
    return ((digits + 0x7676767676767676) | digits) & HIGH_BITS;
}

// Keep the last `count` of eight characters.
inline uint64_t last(uint64_t digits, uint64_t count) noexcept {
    const uint64_t half = 4 * (8 - count);  // two shifts: one by 64 bits is undefined
    return digits & (~uint64_t{0} << half << half);
}

inline uint64_t value(uint64_t digits) noexcept {
    constexpr uint64_t PAIRS = 0x000000FF000000FF;
    constexpr uint64_t LOW = 0x000F424000000064;   // 100 + (1000000 << 32)
    constexpr uint64_t HIGH = 0x0000271000000001;  // 1 + (10000 << 32)
    digits = digits * 10 + (digits >> 8);
    return ((digits & PAIRS) * LOW + ((digits >> 16) & PAIRS) * HIGH) >> 32;
}

}  // namespace eight_digits

constexpr uint64_t POWERS_OF_TEN[] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};
constexpr uint64_t MAX_PLACES = 19;

// Up to 19 digits that end at `stop`, 24 characters or more behind the start of the text.
[[gnu::always_inline]] inline bool read_digits_before(const char* stop, uint64_t count,
                                                      uint64_t* number) noexcept {
    using namespace eight_digits;
    uint64_t low = last(load(stop - 8), count < 8 ? count : 8);
    uint64_t bad = others(low);
    uint64_t result = value(low);
    if (count > 8) {
        const uint64_t middle = last(load(stop - 16), count < 16 ? count - 8 : 8);
        bad |= others(middle);
        result += value(middle) * 100000000;
    }
    if (count > 16) {
        const uint64_t high = last(load(stop - 24), count - 16);
        bad |= others(high);
        result += value(high) * 10000000000000000;
    }
    *number = result;
    return bad == 0;
}

inline bool has_room(const NumberText& input) noexcept {
    return input.stop - input.text >= 24 && input.end - input.at >= 9;
}

// An integer of up to 64 bits; `places` is 0.
[[gnu::always_inline]] inline bool read_plain_integer(const NumberText& input,
                                                      PlainDecimal* number) noexcept {
    if (!has_room(input)) return false;
    number->negative = *input.at == '-';
    number->places = 0;
    const char* at = input.at + number->negative;
    const auto count = static_cast<uint64_t>(input.stop - at);
    if (count - 1 > MAX_PLACES || (*at == '0' && count > 1)) return false;
    if (!read_digits_before(input.stop, count, &number->mantissa)) return false;
    // 20 digits fit if no bit was lost
    return count <= MAX_PLACES || (*at == '1' && number->mantissa >= POWERS_OF_TEN[MAX_PLACES]);
}

// Up to eight characters with a point somewhere between digits.
[[gnu::always_inline]] inline bool read_short_decimal(const char* stop, uint64_t count,
                                                      PlainDecimal* number) noexcept {
    using namespace eight_digits;
    constexpr uint64_t POINT = '.' ^ '0';
    const uint64_t word = last(load(stop - 8), count);
    const uint64_t mark = others(word) & -others(word);  // the first that is no digit
    if (mark == 0) {
        number->mantissa = value(word);
        number->places = 0;
        return true;
    }
    const uint64_t before = (mark >> 7) - 1;  // the bytes before it
    const int point = __builtin_ctzll(mark) >> 3;
    const uint64_t digits = (word & before) << 8 | (word & (~before << 8));
    number->mantissa = value(digits);
    number->places = 7 - point;
    return others(digits) == 0 && (word >> (8 * point) & 0xFF) == POINT && number->places != 0;
}

// A number with a fraction or without.
[[gnu::always_inline]] inline bool read_plain_decimal(const NumberText& input,
                                                      PlainDecimal* number) noexcept {
    using namespace eight_digits;
    if (!has_room(input)) return false;
    number->negative = *input.at == '-';
    const char* at = input.at + number->negative;
    const auto count = static_cast<uint64_t>(input.stop - at);
    if (*at == '0' && count > 1 && at[1] != '.') return false;
    if (count <= 8) {
        const bool starts_with_digit = static_cast<unsigned char>(*at - '0') < 10;
        return starts_with_digit && read_short_decimal(input.stop, count, number);
    }
    const uint64_t word = load(at);
    const uint64_t mark = others(word);
    if (mark == 0) return read_plain_integer(input, number);
    const auto whole_digits = static_cast<uint64_t>(__builtin_ctzll(mark) >> 3);
    if (at[whole_digits] != '.' || whole_digits == 0) return false;
    const uint64_t whole = whole_digits == 1 ? word & 0xFF : value(word << (64 - 8 * whole_digits));
    number->places = static_cast<uint32_t>(count - whole_digits - 1);
    const uint64_t counted = number->places + (whole == 0 ? 0 : whole_digits);
    if (counted - 1 >= MAX_PLACES || number->places == 0) return false;
    uint64_t fraction;
    if (!read_digits_before(input.stop, number->places, &fraction)) return false;
    number->mantissa = whole * POWERS_OF_TEN[number->places] + fraction;
    return true;
}

}  // namespace torch_serving
