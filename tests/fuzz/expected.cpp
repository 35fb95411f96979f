#include "expected.h"

#include <algorithm>
#include <cfenv>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "check.h"

namespace fuzz {

namespace {

// A binary floating point format: bits, the significant ones of them (with the hidden one), and the
// smallest exponent of a normal number.
struct Format {
    int bits;
    int precision;
    int lowest;

    uint64_t infinity() const { return uint64_t(3 - 2 * lowest) << (precision - 1); }
    uint64_t sign() const { return uint64_t{1} << (bits - 1); }
};

constexpr Format FORMATS[] = {{16, 11, -14}, {16, 8, -126}, {32, 24, -126}, {64, 53, -1022}};

bool is_float(Element element) { return element >= Element::float16; }

const Format& format_of(Element element) {
    return FORMATS[static_cast<int>(element) - static_cast<int>(Element::float16)];
}

uint64_t bits_of(double value) {
    uint64_t bits;
    std::memcpy(&bits, &value, 8);
    return bits;
}

double strtod_rounding(int direction, const std::string& text) {
    std::fesetround(direction);
    const double value = std::strtod(text.c_str(), nullptr);
    std::fesetround(FE_TONEAREST);
    return value;
}

// The double that is exact, or else that of its two neighbours whose last bit is 1: rounded again
// to at most 51 bits, it gives what rounding the number itself would.
double rounded_to_odd(const std::string& text) {
    const double down = strtod_rounding(FE_DOWNWARD, text);
    const double up = strtod_rounding(FE_UPWARD, text);
    return down == up || bits_of(down) & 1 ? down : up;
}

uint64_t narrowed(const Format& format, double value) {
    if (value == 0) return 0;
    const int exponent = std::max(std::ilogb(value), format.lowest);
    const int last_place = exponent - (format.precision - 1);
    const auto significand = static_cast<uint64_t>(std::nearbyint(std::ldexp(value, -last_place)));
    const uint64_t field = static_cast<uint64_t>(exponent - format.lowest);
    return std::min(format.infinity(), (field << (format.precision - 1)) + significand);
}

// Without a sign.
uint64_t nearest_bits(const Format& format, const std::string& text) {
    if (format.precision == 53) return bits_of(strtod_rounding(FE_TONEAREST, text));
    return narrowed(format, rounded_to_odd(text));
}

// Of a finite number without a sign.
double value_of(const Format& format, uint64_t bits) {
    const uint64_t hidden = uint64_t{1} << (format.precision - 1);
    const auto field = static_cast<int>(bits / hidden);
    const uint64_t significand = bits % hidden + (field > 0 ? hidden : 0);
    return std::ldexp(static_cast<double>(significand),
                      format.lowest - format.precision + 1 + std::max(field - 1, 0));
}

Expected expected_float(const Format& format, std::string_view raw, std::string_view string) {
    const uint64_t infinity = format.infinity();
    if (raw[0] == '"') {
        if (string == "NaN") return {true, infinity | uint64_t{1} << (format.precision - 2)};
        if (string == "Infinity") return {true, infinity};
        return {string == "-Infinity", infinity | format.sign()};
    }
    if (!is_json_number(raw)) return {false, 0};
    const bool negative = raw[0] == '-';
    const uint64_t bits = nearest_bits(format, std::string(raw.substr(negative)));
    return {bits < infinity, bits | (negative ? format.sign() : 0)};
}

bool is_signed(Element element) { return element >= Element::int8; }

uint64_t mask_of(Element element) { return ~uint64_t{0} >> (64 - 8 * bytes_of(element)); }

// The digits of a whole number however it is written; nothing for others, and for longer ones than
// any type holds.
std::string whole_digits(std::string_view text) {
    constexpr long LONGEST = 5000;
    const size_t e = text.find_first_of("eE");
    std::string digits(text.substr(0, e));
    long exponent = e == text.npos ? 0 : std::atol(std::string(text.substr(e + 1)).c_str());
    exponent = std::max(-2 * LONGEST, std::min(2 * LONGEST, exponent));
    const size_t point = digits.find('.');
    long places = point == digits.npos ? 0 : static_cast<long>(digits.size() - point - 1);
    if (point != digits.npos) digits.erase(point, 1);
    if (digits.find_first_not_of('0') == digits.npos) return "0";
    for (; exponent > places; --exponent) digits += '0';
    for (; exponent < places; --places) {
        if (digits.empty() || digits.back() != '0') return "";
        digits.pop_back();
    }
    return digits;
}

Expected expected_integer(Element element, std::string_view raw) {
    if (!is_json_number(raw)) return {false, 0};
    const bool negative = raw[0] == '-';
    const std::string digits = whole_digits(raw.substr(negative));
    uint64_t size = 0;
    const char* end = digits.data() + digits.size();
    if (std::from_chars(digits.data(), end, size).ec != std::errc{}) return {false, 0};
    const uint64_t most = mask_of(element) >> is_signed(element);
    const uint64_t lowest = is_signed(element) ? most + 1 : 0;
    return {size <= (negative ? lowest : most), (negative ? 0 - size : size) & mask_of(element)};
}

Expected expected_boolean(std::string_view raw) {
    if (raw == "true") return {true, 1};
    if (raw == "false") return {true, 0};
    Expected expected = raw[0] == '-' ? Expected{false, 0} : expected_integer(Element::uint8, raw);
    expected.readable = expected.readable && expected.bits <= 1;
    return expected;
}

// digits[0].digits[1]... * 10^exponent
struct Decimal {
    std::string digits;
    int exponent;
};

Decimal split(std::string_view scientific) {
    const size_t e = scientific.find('e');
    Decimal decimal{std::string(scientific.substr(0, e)), std::atoi(scientific.data() + e + 1)};
    decimal.digits.erase(std::remove(decimal.digits.begin(), decimal.digits.end(), '.'),
                         decimal.digits.end());
    decimal.digits.erase(decimal.digits.find_last_not_of('0') + 1);
    return decimal;
}

template <class Float>
Decimal shortest_of_the_library(Float value) {
    char text[64] = {};
    std::to_chars(text, text + 63, value, std::chars_format::scientific);
    return split(text);
}

// For types that the library does not know: the decimal with the fewest digits, and then the
// nearest.
Decimal shortest_by_trial(const Format& format, uint64_t bits) {
    const double value = value_of(format, bits);
    for (int more = 0;; ++more) {
        char text[64];
        std::snprintf(text, sizeof text, "%.*e", more, value);
        const auto [digits, exponent] = split(text);
        const long whole = std::atol((digits + std::string(more + 1 - digits.size(), '0')).c_str());
        for (long near : {whole, whole + 1, whole - 1}) {
            std::string decimal = std::to_string(near) + "e" + std::to_string(exponent - more);
            if (near > 0 && nearest_bits(format, decimal) == bits) {
                const int longer = static_cast<int>(std::to_string(near).size()) - (more + 1);
                return split(std::to_string(near) + "e" + std::to_string(exponent + longer));
            }
        }
    }
}

Decimal shortest(const Format& format, uint64_t bits) {
    if (bits == 0) return {"0", 0};
    if (format.precision == 53) return shortest_of_the_library(value_of(format, bits));
    if (format.precision == 24) {
        return shortest_of_the_library(static_cast<float>(value_of(format, bits)));
    }
    return shortest_by_trial(format, bits);
}

// As Python writes floats, but for the exponent's plus sign and zeros.
std::string written(const Decimal& decimal) {
    const auto& [digits, exponent] = decimal;
    const int count = static_cast<int>(digits.size());
    if (exponent < -4 || exponent >= 16) {
        std::string rest = count > 1 ? "." + digits.substr(1) : "";
        return digits[0] + rest + "e" + std::to_string(exponent);
    }
    if (exponent < 0) return "0." + std::string(-exponent - 1, '0') + digits;
    if (count <= exponent + 1) return digits + std::string(exponent + 1 - count, '0') + ".0";
    return digits.substr(0, exponent + 1) + "." + digits.substr(exponent + 1);
}

std::string expected_float_text(const Format& format, uint64_t bits) {
    const std::string sign = bits & format.sign() ? "-" : "";
    bits &= ~format.sign();
    if (bits > format.infinity()) return "\"NaN\"";
    if (bits == format.infinity()) return "\"" + sign + "Infinity\"";
    return sign + written(shortest(format, bits));
}

}  // namespace

uint64_t bits_at(Element element, const char* memory) {
    uint64_t bits = 0;
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    std::memcpy(&bits, memory, bytes_of(element));
    return bits;
}

bool is_json_number(std::string_view text) {
    const auto take = [&text](std::string_view any) {
        const bool found = !text.empty() && any.find(text[0]) != any.npos;
        if (found) text.remove_prefix(1);
        return found;
    };
    const auto take_digits = [&take] {
        bool found = false;
        while (take("0123456789")) found = true;
        return found;
    };
    take("-");
    if (!take("0") && !take_digits()) return false;
    if (take(".") && !take_digits()) return false;
    if (take("eE")) {
        take("+-");
        if (!take_digits()) return false;
    }
    return text.empty();
}

Expected expected_bits(Element element, std::string_view raw, std::string_view string) {
    if (element == Element::boolean) return expected_boolean(raw);
    if (is_float(element)) return expected_float(format_of(element), raw, string);
    return expected_integer(element, raw);
}

std::string expected_text(Element element, uint64_t bits) {
    if (element == Element::boolean) return bits ? "true" : "false";
    if (is_float(element)) return expected_float_text(format_of(element), bits);
    if (!is_signed(element)) return std::to_string(bits);
    const int unused = static_cast<int>(64 - 8 * bytes_of(element));
    return std::to_string(static_cast<int64_t>(bits << unused) >> unused);
}

}  // namespace fuzz
