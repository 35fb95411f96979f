#include "numbers.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string_view>

namespace torch_serving {

namespace {

// A number as it is written: (-1)^negative * mantissa * 10^exponent.
struct Decimal {
    uint64_t mantissa;
    int64_t exponent;
    const char* digits;  // the text behind the sign
    const char* end;
    bool negative;
    bool integer;    // neither fraction nor exponent
    bool truncated;  // more digits than the mantissa holds
};

constexpr int MAX_DIGITS = 19;  // any 19 digits fit 64 bits
// Far beyond every range, and far from overflow when a fraction's length is added.
constexpr int64_t MAX_EXPONENT = 0x10000000;

bool is_digit(char c) noexcept { return static_cast<unsigned char>(c - '0') < 10; }

bool ends_number(const char* at, const char* end) noexcept {
    if (at == end) return true;
    char c = *at;
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Eight digits at once, in three multiplications (the bytes are read as a little-endian word).
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
bool read_eight(const char* at, const char* end, uint64_t* value) noexcept {
    if (end - at < 8) return false;
    uint64_t word;
    std::memcpy(&word, at, 8);
    constexpr uint64_t ZEROS = 0x3030303030303030;
    uint64_t digits = word ^ ZEROS;
    if (((digits + 0x7676767676767676) | digits) & 0x8080808080808080) return false;
    digits = digits * 10 + (digits >> 8);
    constexpr uint64_t PAIRS = 0x000000FF000000FF;
    constexpr uint64_t LOW = 0x000F424000000064;   // 100 + (1000000 << 32)
    constexpr uint64_t HIGH = 0x0000271000000001;  // 1 + (10000 << 32)
    *value = ((digits & PAIRS) * LOW + ((digits >> 16) & PAIRS) * HIGH) >> 32;
    return true;
}
#else
bool read_eight(const char*, const char*, uint64_t*) noexcept { return false; }
#endif

const char* read_digits(const char* at, const char* end, uint64_t* mantissa) noexcept {
    uint64_t eight;
    while (read_eight(at, end, &eight)) {
        *mantissa = *mantissa * 100000000 + eight;  // may wrap: then there are too many digits
        at += 8;
    }
    for (; at != end && is_digit(*at); ++at) *mantissa = *mantissa * 10 + uint64_t(*at - '0');
    return at;
}

// Digits that count: leading zeros do not.
bool has_too_many_digits(const char* at, const char* end) noexcept {
    while (at != end && (*at == '0' || *at == '.')) ++at;
    const char* point = static_cast<const char*>(std::memchr(at, '.', end - at));
    return end - at - (point != nullptr) > MAX_DIGITS;
}

const char* read_exponent(const char* at, const char* end, int64_t* exponent) noexcept {
    bool negative = at != end && *at == '-';
    if (at != end && (*at == '-' || *at == '+')) ++at;
    if (at == end || !is_digit(*at)) return nullptr;
    int64_t value = 0;
    for (; at != end && is_digit(*at); ++at) {
        if (value < MAX_EXPONENT) value = value * 10 + (*at - '0');
    }
    *exponent += negative ? -value : value;
    return at;
}

[[gnu::always_inline]] inline bool read_decimal(const char* at, const char* end,
                                                Decimal* number) noexcept {
    number->negative = *at == '-';
    at += number->negative;
    number->digits = at;
    number->mantissa = 0;
    number->exponent = 0;
    number->integer = true;
    if (at == end || !is_digit(*at)) return false;
    for (int i = 0; i < 3 && at != end && is_digit(*at); ++i, ++at) {  // most whole parts are short
        number->mantissa = number->mantissa * 10 + uint64_t(*at - '0');
    }
    if (at != end && is_digit(*at)) at = read_digits(at, end, &number->mantissa);
    if (*number->digits == '0' && at - number->digits > 1) return false;
    if (at != end && *at == '.') {
        const char* fraction = ++at;
        at = read_digits(at, end, &number->mantissa);
        if (at == fraction) return false;
        number->exponent = fraction - at;
        number->integer = false;
    }
    number->truncated = at - number->digits > MAX_DIGITS && has_too_many_digits(number->digits, at);
    if (at != end && (*at == 'e' || *at == 'E')) {
        at = read_exponent(at + 1, end, &number->exponent);
        if (at == nullptr) return false;
        number->integer = false;
    }
    number->end = at;
    return ends_number(at, end);
}

constexpr int MANY_DIGITS = 800;  // half-way values of float64 have at most 767

// Any number of digits, and an exponent that may make up for any number of zeros: cut to the digits
// that count and one that stands for the rest.
double nearest_double_of_many_digits(const Decimal& number) noexcept {
    char text[MANY_DIGITS + 32];
    int count = 0;
    int64_t exponent = number.exponent;
    bool rest = false;
    for (const char* at = number.digits; at != number.end; ++at) {
        if (*at == '.' || (*at == '0' && count == 0)) continue;
        if (!is_digit(*at)) break;
        if (count < MANY_DIGITS) {
            text[count++] = *at;
        } else {
            ++exponent;
            rest |= *at != '0';
        }
    }
    if (count == 0) return 0;
    if (rest) {
        text[count++] = '1';
        --exponent;
    }
    if (exponent > MANY_DIGITS) return std::numeric_limits<double>::infinity();
    if (exponent < -4 * MANY_DIGITS) return 0;
    int written = std::snprintf(text + count, 16, "e%d", static_cast<int>(exponent));
    return simdjson::internal::from_chars(text, text + count + written);
}

// The nearest double without its sign; infinity where there is none.
double nearest_double(const Decimal& number) noexcept {
    double value;
    if (number.mantissa == 0 && !number.truncated) return 0;
    if (!number.truncated) {
        if (number.exponent < simdjson::internal::smallest_power) return 0;
        if (number.exponent > simdjson::internal::largest_power) {
            return std::numeric_limits<double>::infinity();
        }
        if (simdjson::builtin::numberparsing::compute_float_64(number.exponent, number.mantissa,
                                                               false, value)) {
            return value;
        }
    }
    return nearest_double_of_many_digits(number);
}

// Compare the number, as written, with the double nearest to it: < 0, 0 or > 0. Needed only where
// that double lies half-way between two values of a narrower type, so it has few digits.
int compare_exactly(const Decimal& number, double value) noexcept {
    if (number.integer && !number.truncated) {
        auto whole = static_cast<uint64_t>(value);
        return number.mantissa < whole ? -1 : number.mantissa > whole;
    }
    constexpr int PLACES = 200;  // half-way values of float32 need at most 113
    char expansion[PLACES + 16];
    std::snprintf(expansion, sizeof expansion, "%.*e", PLACES, value);
    expansion[1] = expansion[0];  // over the decimal point, whatever the locale calls it
    const char* expected = expansion + 1;
    const char* stop = expected + PLACES + 1;
    for (const char* at = number.digits; at != number.end; ++at) {
        if (*at == '.' || (*at == '0' && expected == expansion + 1)) continue;
        if (!is_digit(*at)) break;
        const char place = expected == stop ? '0' : *expected++;
        if (*at != place) return *at < place ? -1 : 1;
    }
    for (; expected != stop; ++expected) {
        if (*expected != '0') return -1;
    }
    return 0;
}

// Round to a type with `Precision` significant bits (the hidden one included) and the smallest
// normal exponent `Lowest`; the result is its bit pattern, without sign.
template <int Precision, int Lowest>
uint32_t narrow(const Decimal& number, double value) noexcept {
    uint64_t bits;
    std::memcpy(&bits, &value, 8);
    int exponent = static_cast<int>(bits >> 52) - 1023;
    uint64_t mantissa = (bits & ((uint64_t{1} << 52) - 1)) | (uint64_t{1} << 52);
    int below = exponent < Lowest ? Lowest - exponent : 0;
    int shift = 53 - Precision + below;
    if (shift > 53) return 0;
    uint64_t rest = mantissa & ((uint64_t{1} << shift) - 1);
    uint64_t half = uint64_t{1} << (shift - 1);
    auto kept = static_cast<uint32_t>(mantissa >> shift);
    bool up = rest > half;
    if (rest == half) {
        int order = compare_exactly(number, value);
        up = order > 0 || (order == 0 && (kept & 1));
    }
    auto field = static_cast<uint32_t>(below ? 0 : exponent - Lowest);
    return (field << (Precision - 1)) + kept + up;
}

struct Float64 {
    using Bits = uint64_t;
    static constexpr Bits INFINITE = 0x7FF0000000000000;
    static constexpr Bits NOT_A_NUMBER = 0x7FF8000000000000;
    static Bits round(const Decimal&, double value) noexcept {
        Bits bits;
        std::memcpy(&bits, &value, 8);
        return bits;
    }
};

template <class Bits_, int Precision, int Lowest, Bits_ Infinite>
struct Narrow {
    using Bits = Bits_;
    static constexpr Bits INFINITE = Infinite;
    static constexpr Bits NOT_A_NUMBER = Infinite | (Bits{1} << (Precision - 2));
    static Bits round(const Decimal& number, double value) noexcept {
        constexpr double BEYOND = Lowest == -14 ? 65536.0 : 0x1p128;
        if (value >= BEYOND) return INFINITE;
        if constexpr (Precision == 24) {
            uint64_t bits;
            std::memcpy(&bits, &value, 8);
            constexpr uint64_t REST = (uint64_t{1} << 29) - 1;
            if (value >= 0x1p-126 &&
                (bits & REST) != REST / 2 + 1) {  // not half-way: safe to round again
                auto nearest = static_cast<float>(value);
                Bits result;
                std::memcpy(&result, &nearest, 4);
                return result;
            }
        }
        return static_cast<Bits>(narrow<Precision, Lowest>(number, value));
    }
};

using Float16 = Narrow<uint16_t, 11, -14, 0x7C00>;
using BFloat16 = Narrow<uint16_t, 8, -126, 0x7F80>;
using Float32 = Narrow<uint32_t, 24, -126, 0x7F800000>;

// The next character of a string if it is ASCII, with its escape undone; '\0' for all others.
char next_ascii(const char** at, const char* end) noexcept {
    const char c = *(*at)++;
    if (c != '\\') return c;
    if (end - *at < 5 || std::memcmp(*at, "u00", 3) != 0) return '\0';
    unsigned value = 0;
    if (std::from_chars(*at + 3, *at + 5, value, 16).ptr != *at + 5) return '\0';
    *at += 5;
    return static_cast<char>(value);
}

// Whether the string that opens at `at` is this word.
bool spells(const char* at, const char* end, std::string_view word) noexcept {
    for (char c : word) {
        if (++at >= end) return false;
        const char* next = at;
        if (next_ascii(&next, end) != c) return false;
        at = next - 1;
    }
    return ++at < end && *at == '"';
}

template <class Float>
Error read_non_finite(const char* at, const char* end, typename Float::Bits* out) noexcept {
    constexpr auto SIGN = typename Float::Bits{1} << (8 * sizeof(typename Float::Bits) - 1);
    if (*at != '"') return Error::not_number;
    if (spells(at, end, "NaN")) {
        *out = Float::NOT_A_NUMBER;
    } else if (spells(at, end, "Infinity")) {
        *out = Float::INFINITE;
    } else if (spells(at, end, "-Infinity")) {
        *out = Float::INFINITE | SIGN;
    } else {
        return Error::not_number;
    }
    return Error::none;
}

template <class Float>
Error read_float(const char* at, const char* end, typename Float::Bits* out) noexcept {
    if (!starts_number(*at)) return read_non_finite<Float>(at, end, out);
    Decimal number;
    if (!read_decimal(at, end, &number)) return Error::bad_number;
    typename Float::Bits bits = Float::round(number, nearest_double(number));
    if (bits >= Float::INFINITE) return Error::out_of_range;
    *out = bits | typename Float::Bits{number.negative} << (8 * sizeof bits - 1);
    return Error::none;
}

template <class Integer>
Error read_integer(const char* at, const char* end, Integer* out) noexcept {
    if (!starts_number(*at)) return Error::not_integer;
    Decimal number;
    if (!read_decimal(at, end, &number)) return Error::bad_number;
    if (!number.integer) return Error::not_integer;
    uint64_t value = number.mantissa;
    if (number.truncated) {  // 20 digits fit if no bit was lost; more never do
        bool twenty = number.end - number.digits == MAX_DIGITS + 1;
        if (!twenty || *number.digits != '1' || value < 10000000000000000000u) {
            return Error::out_of_range;
        }
    }
    constexpr auto MAX = static_cast<uint64_t>(std::numeric_limits<Integer>::max());
    constexpr uint64_t LOWEST = std::numeric_limits<Integer>::is_signed ? MAX + 1 : 0;
    if (value > (number.negative ? LOWEST : MAX)) return Error::out_of_range;
    *out = static_cast<Integer>(number.negative ? 0 - value : value);
    return Error::none;
}

Error read_boolean(const char* at, const char* end, uint8_t* out) noexcept {
    if (*at == 't' || *at == 'f') {  // parse has checked the whole word
        *out = *at == 't';
        return Error::none;
    }
    if (!starts_number(*at)) return Error::not_boolean;
    Decimal number;
    if (!read_decimal(at, end, &number)) return Error::bad_number;
    bool bit = number.integer && !number.negative && !number.truncated && number.mantissa <= 1;
    if (!bit) return Error::not_boolean;
    *out = static_cast<uint8_t>(number.mantissa);
    return Error::none;
}

template <class Bits, Error (*read)(const char*, const char*, Bits*) noexcept>
Reading read_each(const Document& document, uint32_t first, uint32_t count, void* out) noexcept {
    auto* target = static_cast<Bits*>(out);
    const uint32_t* token = document.tokens() + first;
    const char* text = document.text();
    const char* end = document.end();
    for (uint32_t i = 0; i < count; ++i, token += 2) {
        Error error = read(text + *token, end, target + i);
        if (error != Error::none) return {error, i};
    }
    return {Error::none, count};
}

template <class Float>
constexpr auto FLOATS = read_each<typename Float::Bits, read_float<Float>>;
template <class Integer>
constexpr auto INTEGERS = read_each<Integer, read_integer<Integer>>;

// In the order of Element.
constexpr Reading (*READERS[])(const Document&, uint32_t, uint32_t, void*) noexcept = {
    read_each<uint8_t, read_boolean>,
    INTEGERS<uint8_t>,
    INTEGERS<uint16_t>,
    INTEGERS<uint32_t>,
    INTEGERS<uint64_t>,
    INTEGERS<int8_t>,
    INTEGERS<int16_t>,
    INTEGERS<int32_t>,
    INTEGERS<int64_t>,
    FLOATS<Float16>,
    FLOATS<BFloat16>,
    FLOATS<Float32>,
    FLOATS<Float64>,
};

}  // namespace

bool is_number(const char* at, const char* end) noexcept {
    Decimal number;
    return starts_number(*at) && read_decimal(at, end, &number);
}

Reading read_numbers(const Document& document, uint32_t first, uint32_t count, Element element,
                     void* out) noexcept {
    return READERS[static_cast<size_t>(element)](document, first, count, out);
}

}  // namespace torch_serving
