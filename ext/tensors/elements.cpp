#include "tensors/elements.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "document/document.h"
#include "numerals/decimal.h"
#include "numerals/plain_decimal.h"
#include "numerals/scalars.h"

namespace torch_serving {

namespace {

uint64_t multiply_high(uint64_t a, uint64_t b) noexcept {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
}

// Round to a type with `Precision` significant bits (the hidden one included) and the smallest
// normal exponent `Lowest`, to a bit pattern without sign. What lies half-way between two values is
// cut, and false.
template <int Precision, int Lowest, class Bits>
bool narrow(double value, Bits* result) noexcept {
    constexpr uint64_t HIDDEN = uint64_t{1} << 52;
    uint64_t bits;
    std::memcpy(&bits, &value, 8);
    int shift = 53 - Precision;
    const int below = Lowest + 1023 - static_cast<int>(bits >> 52);
    if (below > 0) {  // a denormal there
        shift += below;
        bits = (bits & (HIDDEN - 1)) | HIDDEN;
    } else {
        bits -= uint64_t{Lowest + 1022} << 52;
    }
    *result = 0;
    if (shift > 53) return true;
    const uint64_t rest = bits & ((uint64_t{1} << shift) - 1);
    const uint64_t half = uint64_t{1} << (shift - 1);
    *result = static_cast<Bits>((bits >> shift) + (rest > half));
    return rest != half;
}

bool nearest_double(const PlainDecimal& number, double* value) noexcept {
    return simdjson::builtin::numberparsing::compute_float_64(-static_cast<int64_t>(number.places),
                                                              number.mantissa, false, *value);
}

struct Float64 {
    using Bits = uint64_t;
    static constexpr Bits INFINITE = 0x7FF0000000000000;
    static constexpr Bits NOT_A_NUMBER = 0x7FF8000000000000;
    static Bits round(const Decimal& number) noexcept { return bits_of(nearest_double(number)); }
    static bool round(const PlainDecimal& number, Bits* bits) noexcept {
        double value;
        const bool known = nearest_double(number, &value);
        *bits = bits_of(value);
        return known;
    }
    static Bits bits_of(double value) noexcept {
        Bits bits;
        std::memcpy(&bits, &value, 8);
        return bits;
    }
};

// The nearest float32 without its sign, or false where what this cuts off decides. The exponents
// are small, so nothing is denormal or infinite here.
bool nearest_float(const PlainDecimal& number, uint32_t* bits) noexcept {
    if (number.mantissa <= uint64_t{1} << 53) {  // both are exact as doubles
        const double value = static_cast<double>(number.mantissa) /
                             static_cast<double>(POWERS_OF_TEN[number.places]);
        const auto nearest = static_cast<float>(value);
        std::memcpy(bits, &nearest, 4);
        constexpr uint64_t CUT = (uint64_t{1} << 29) - 1;
        return (Float64::bits_of(value) & CUT) != CUT / 2 + 1;  // not half-way
    }
    // the method of Eisel and Lemire, with 64 bits of a power of five; simdjson has its long form
    const int power = -static_cast<int>(number.places);
    const int zeros = __builtin_clzll(number.mantissa);
    const uint64_t five =
        simdjson::internal::power_of_five_128[2 * (power - simdjson::internal::smallest_power)];
    const uint64_t product = multiply_high(number.mantissa << zeros, five);
    const int upper = static_cast<int>(product >> 63);
    const int shift = 38 + upper;
    const auto kept = static_cast<uint32_t>(product >> shift);  // 24 bits and the one behind
    const uint64_t mask = (uint64_t{1} << shift) - 1;
    const uint64_t rest = product & mask;
    const int exponent = ((217706 * power) >> 16) + 63 + upper - zeros;  // log2(10) * 2^16
    *bits = (static_cast<uint32_t>(exponent + 126) << 23) + ((kept + 1) >> 1);
    return rest != mask && (rest != 0 || (kept & 1) == 0);
}

template <class Bits_, int Precision, int Lowest, Bits_ Infinite>
struct Narrow {
    using Bits = Bits_;
    static constexpr Bits INFINITE = Infinite;
    static constexpr Bits NOT_A_NUMBER = Infinite | (Bits{1} << (Precision - 2));
    static constexpr double BEYOND = Lowest == -14 ? 65536.0 : 0x1p128;

    static Bits round(const Decimal& number) noexcept {
        const double value = nearest_double(number);
        if (value >= BEYOND) return INFINITE;
        Bits bits;
        if (narrow<Precision, Lowest>(value, &bits)) return bits;
        const int order = compare_exactly(number, value);
        return static_cast<Bits>(bits + (order > 0 || (order == 0 && (bits & 1))));
    }

    static bool round(const PlainDecimal& number, Bits* bits) noexcept {
        if constexpr (Precision == 24) {
            return nearest_float(number, bits);
        } else {
            double value;
            *bits = INFINITE;
            if (!nearest_double(number, &value)) return false;
            return value >= BEYOND || narrow<Precision, Lowest>(value, bits);
        }
    }
};

using Float16 = Narrow<uint16_t, 11, -14, 0x7C00>;
using BFloat16 = Narrow<uint16_t, 8, -126, 0x7F80>;
using Float32 = Narrow<uint32_t, 24, -126, 0x7F800000>;

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

template <class Bits>
Bits with_sign(Bits bits, bool negative) noexcept {
    return static_cast<Bits>(bits | Bits{negative} << (8 * sizeof bits - 1));
}

// Whether it is NaN or an infinity as a word, where the document takes those.
bool is_word(const NumberText& input) noexcept {
    return input.non_finite && is_non_finite(input.at, input.end);
}

template <class Float>
Error read_float_slowly(const NumberText& input, typename Float::Bits* out) noexcept {
    const char *at = input.at, *end = input.end;
    if (is_word(input)) {
        *out = with_sign(*at == 'N' ? Float::NOT_A_NUMBER : Float::INFINITE, *at == '-');
        return Error::none;
    }
    if (!starts_number(*at)) return read_non_finite<Float>(at, end, out);
    Decimal number;
    if (!read_decimal(at, end, &number)) return Error::bad_number;
    const auto bits = Float::round(number);
    if (bits >= Float::INFINITE) return Error::out_of_range;
    *out = with_sign(bits, number.negative);
    return Error::none;
}

template <class Float>
[[gnu::always_inline]] inline Error read_float(const NumberText& input,
                                               typename Float::Bits* out) noexcept {
    PlainDecimal number;
    typename Float::Bits bits;
    if (read_plain_decimal(input, &number) && Float::round(number, &bits) &&
        bits < Float::INFINITE) {
        *out = with_sign(bits, number.negative);
        return Error::none;
    }
    return read_float_slowly<Float>(input, out);
}

template <class Integer>
Error narrow_integer(uint64_t value, bool negative, Integer* out) noexcept {
    constexpr auto MAX = static_cast<uint64_t>(std::numeric_limits<Integer>::max());
    constexpr uint64_t LOWEST = std::numeric_limits<Integer>::is_signed ? MAX + 1 : 0;
    if (value > (negative ? LOWEST : MAX)) return Error::out_of_range;
    *out = static_cast<Integer>(negative ? 0 - value : value);
    return Error::none;
}

template <class Integer>
[[gnu::noinline]] Error read_integer_slowly(const NumberText& input, Integer* out) noexcept {
    if (!starts_number(*input.at) || is_word(input)) return Error::not_integer;
    Decimal number;
    if (!read_decimal(input.at, input.end, &number)) return Error::bad_number;
    uint64_t size;
    const Whole whole = read_whole(number, &size);
    if (whole == Whole::no) return Error::not_integer;
    if (whole == Whole::beyond) return Error::out_of_range;
    return narrow_integer(size, number.negative, out);
}

template <class Integer>
[[gnu::always_inline]] inline Error read_integer(const NumberText& input, Integer* out) noexcept {
    PlainDecimal number;
    if (read_plain_integer(input, &number)) {
        return narrow_integer(number.mantissa, number.negative, out);
    }
    return read_integer_slowly(input, out);
}

Error read_dimension(const NumberText& input, int64_t* out) noexcept {
    const std::string_view text{input.at, static_cast<size_t>(input.stop - input.at)};
    if (text.find_first_of(".eE") != text.npos) return Error::not_integer;
    return read_integer(input, out);
}

Error read_boolean(const NumberText& input, uint8_t* out) noexcept {
    const char* at = input.at;
    if (*at == 't' || *at == 'f') {  // parse has checked the whole word
        *out = *at == 't';
        return Error::none;
    }
    if (*at == '-') {
        return is_number(at, input.end) || is_word(input) ? Error::not_boolean : Error::bad_number;
    }
    Error error = read_integer(input, out);
    return error == Error::none && *out > 1 ? Error::not_boolean : error;
}

template <class Bits, Error (*read)(const NumberText&, Bits*) noexcept>
Reading read_each(Document* document, uint32_t first, uint32_t count, void* out) noexcept {
    auto* target = static_cast<Bits*>(out);
    NumberText input{document->text(), nullptr, nullptr, document->end(),
                     document->takes_non_finite()};
    for (uint32_t i = 0; i < count;) {
        const Span span = document->tokens_from(first + 2 * i);
        if (span.count == 0) return {Error::out_of_memory, i};  // never: it was there before
        const uint32_t stop = i + std::min(count - i, (span.count + 1) / 2);
        for (const uint32_t* token = span.tokens; i < stop; ++i, token += 2) {
            input.at = span.text + token[0];
            input.stop = span.text + token[1];
            Error error = read(input, target + i);
            if (error != Error::none) return {error, i};
        }
    }
    return {Error::none, count};
}

template <class Float>
constexpr auto FLOATS = read_each<typename Float::Bits, read_float<Float>>;
template <class Integer>
constexpr auto INTEGERS = read_each<Integer, read_integer<Integer>>;

// In the order of Element.
constexpr Reading (*READERS[])(Document*, uint32_t, uint32_t, void*) noexcept = {
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
    read_each<int64_t, read_dimension>,
};

}  // namespace

Reading read_numbers(Document* document, uint32_t first, uint32_t count, Element element,
                     void* out) noexcept {
    return READERS[static_cast<size_t>(element)](document, first, count, out);
}

}  // namespace torch_serving
