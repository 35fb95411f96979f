#include "numerals/decimal.h"

#include <simdjson.h>

#include <cstdio>
#include <cstring>
#include <limits>

#include "numerals/plain_decimal.h"
#include "numerals/scalars.h"

namespace torch_serving {

namespace {

// Far beyond every range, and far from overflow when a fraction's length is added.
constexpr int64_t MAX_EXPONENT = 0x10000000;

bool is_digit(char c) noexcept { return static_cast<unsigned char>(c - '0') < 10; }

bool ends_number(const char* at, const char* end) noexcept {
    if (at == end) return true;
    char c = *at;
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

const char* read_digits(const char* at, const char* end, uint64_t* mantissa) noexcept {
    while (end - at >= 8) {
        const uint64_t eight = eight_digits::load(at);
        if (eight_digits::others(eight) != 0) break;
        // may wrap: then there are too many digits
        *mantissa = *mantissa * 100000000 + eight_digits::value(eight);
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

}  // namespace

bool read_decimal(const char* at, const char* end, Decimal* number) noexcept {
    number->negative = *at == '-';
    at += number->negative;
    number->digits = at;
    number->mantissa = 0;
    number->exponent = 0;
    number->integer = true;
    if (at == end || !is_digit(*at)) return false;
    at = read_digits(at, end, &number->mantissa);
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

bool is_number(const char* at, const char* end) noexcept {
    Decimal number;
    return starts_number(*at) && read_decimal(at, end, &number);
}

Whole read_whole(const Decimal& number, uint64_t* size) noexcept {
    const char* stop = number.digits;
    while (stop != number.end && (is_digit(*stop) || *stop == '.')) ++stop;
    int64_t zeros = number.exponent;  // behind the digits up to `stop`
    for (; stop != number.digits && (stop[-1] == '0' || stop[-1] == '.'); --stop) {
        zeros += stop[-1] == '0';
    }
    *size = 0;
    if (stop == number.digits) return Whole::yes;
    if (zeros < 0) return Whole::no;
    if (zeros > MAX_DIGITS) return Whole::beyond;
    for (const char* at = number.digits; at != stop; ++at) {
        if (*at == '.') continue;
        if (__builtin_mul_overflow(*size, 10, size)) return Whole::beyond;
        if (__builtin_add_overflow(*size, *at - '0', size)) return Whole::beyond;
    }
    for (; zeros != 0; --zeros) {
        if (__builtin_mul_overflow(*size, 10, size)) return Whole::beyond;
    }
    return Whole::yes;
}

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

}  // namespace torch_serving
