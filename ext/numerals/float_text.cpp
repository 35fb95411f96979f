// float16, bfloat16 and float32; number_text.h has the rules.
#include <algorithm>
#include <cstring>

#include "numerals/digits.h"
#include "numerals/float_form.h"
#include "numerals/number_text.h"
#include "numerals/shortest_decimal.h"

namespace torch_serving {

namespace {

constexpr size_t BLOCK = 32;

// All decimals are brought to eight digits, or a one and eight digits. Those nine, and the exponent
// of the last, determine all of a number's text but the digits and how many of them are zeros at
// its end: a row of a table for each exponent, with the one and without.
constexpr int LOWEST_EXPONENT = -52;  // 1e-45 is 10000000e-52
constexpr int HIGHEST_EXPONENT = 31;  // 3e38 is 30000000e31
constexpr int SPECIAL = -1;           // instead of a row: infinity or NaN

struct alignas(64) Row {
    char start[16] = {};  // zeros, the point and the one, where they are known
    char end[8] = {};     // the exponent and a comma; then the sign of the next number
    uint8_t end_length = 0;
    uint8_t digits_at = 0;
    uint8_t point_at = 0;      // of a point between the digits, which splits them
    uint8_t shift = 0;         // takes away the digits before the last one before the point
    uint8_t lengths[16] = {};  // of the text before `end`, by `last` / 4 (see write_number)
};

constexpr uint8_t NOWHERE = 24;  // in nobody's way: the longest text has 19 characters

struct Rows {
    Row rows[2 * (HIGHEST_EXPONENT - LOWEST_EXPONENT + 1)] = {};

    constexpr Rows() noexcept {
        for (int exponent = LOWEST_EXPONENT; exponent <= HIGHEST_EXPONENT; ++exponent) {
            for (int ones = 0; ones <= 1; ++ones) rows[index(exponent, ones)] = row(exponent, ones);
        }
    }

    static constexpr int index(int exponent, int ones) noexcept {
        return 2 * (exponent - LOWEST_EXPONENT) + ones;
    }

  private:
    static constexpr Row row(int exponent, int ones) noexcept {
        const int point = exponent + 8 + ones;
        const bool plain = is_plain(point);
        Row row = plain && point <= 0 ? small(point, ones) : large(plain ? point : 1, ones);
        put_end(row, plain, point);
        for (int last = 0; last < 16; ++last) {
            const int count = ones + (last == 15 ? 0 : 8 - last / 2);
            row.lengths[last] = static_cast<uint8_t>(
                std::min(16, plain ? plain_length(count, point) : scientific_length(count)));
        }
        return row;
    }

    // 0.000123
    static constexpr Row small(int point, int ones) noexcept {
        Row row = zeros();
        row.start[1] = '.';
        if (ones) row.start[2 - point] = '1';
        row.digits_at = static_cast<uint8_t>(2 - point + ones);
        row.point_at = NOWHERE;
        return row;
    }

    // 12.3 and 123000.0, also the digits before an exponent
    static constexpr Row large(int point, int ones) noexcept {
        Row row = zeros();
        if (point < 16) row.start[point] = '.';
        if (ones) row.start[0] = '1';
        const int whole = point - ones;  // of the eight digits
        row.digits_at = static_cast<uint8_t>(whole == 0 ? 2 : ones);
        const bool splits = whole > 0 && whole < 8;
        row.point_at = splits ? static_cast<uint8_t>(point) : NOWHERE;
        row.shift = splits ? static_cast<uint8_t>(8 * (whole - 1)) : 0;
        return row;
    }

    static constexpr Row zeros() noexcept {
        Row row;
        for (char& c : row.start) c = '0';
        return row;
    }

    static constexpr void put_end(Row& row, bool plain, int point) noexcept {
        char* at = row.end;
        if (!plain) at = put_exponent(at, point - 1);
        if (plain && point == 16) *at++ = '.';  // there is no room for them in `start`
        if (plain && point >= 15) *at++ = '0';
        *at++ = ',';
        *at = '-';
        row.end_length = static_cast<uint8_t>(at - row.end);
    }
};

constexpr Rows ROWS;

// Where the text ends; digits as digits::split gives them. The lowest bit that is set is in the
// last digit that is not zero, two fours of bits for each; 63, for none, is in no digit.
inline char* write_number(char* out, uint64_t digits, const Row& row) noexcept {
    const int last = __builtin_ctzll(digits | uint64_t{1} << 63);
    const uint64_t text = digits::to_text(digits);
    std::memcpy(out, row.start, 16);
    digits::store(out + row.digits_at, text);
    digits::store(out + row.point_at, (text >> row.shift & ~uint64_t{0xFF}) | '.');
    out += row.lengths[last / 4];
    std::memcpy(out, row.end, 8);
    return out + row.end_length;
}

struct EightDigits {
    uint32_t digits;
    int row;
};

// From at least eight digits.
constexpr EightDigits without_one(uint32_t digits, int exponent) noexcept {
    const uint32_t rest = digits - digits::EIGHT;
    const bool one = digits >= digits::EIGHT;
    return {one ? rest : digits, Rows::index(exponent, one)};
}

template <class Float>
[[gnu::noinline]] EightDigits eight_digits_slowly(uint32_t field, uint32_t fraction) noexcept {
    if (field == Float::FIELD_MASK) return {0, SPECIAL};
    ShortestDecimal decimal = Float::shortest_slowly(field, fraction);
    while (decimal.digits < digits::EIGHT / 10) {
        decimal.digits *= 10;
        --decimal.exponent;
    }
    return without_one(static_cast<uint32_t>(decimal.digits), decimal.exponent);
}

struct Float32 : NarrowFloat<23, 127> {
    using Bits = uint32_t;
    static constexpr Scales SCALES{-7};

    // From seven digits (only where 2^exponent is just above a power of ten) to nine.
    static constexpr EightDigits eight_digits(ShortestDecimal decimal) noexcept {
        auto digits = static_cast<uint32_t>(decimal.digits);
        if (__builtin_expect(digits - 1 < digits::EIGHT / 10 - 1, false)) {
            digits *= 10;
            --decimal.exponent;
        }
        return without_one(digits, decimal.exponent);
    }
};

// From `Digits` digits or one more.
template <int Digits, uint32_t Most>
constexpr EightDigits widen(ShortestDecimal decimal) noexcept {
    constexpr uint32_t SCALE = digits::EIGHT / (Most + 1);
    const bool longer = decimal.digits > Most;
    const uint32_t scale = longer ? SCALE / 10 : SCALE;
    return {static_cast<uint32_t>(decimal.digits) * scale,
            Rows::index(decimal.exponent - (8 - Digits) + longer, 0)};
}

struct Float16 : NarrowFloat<10, 15> {
    using Bits = uint16_t;
    static constexpr Scales SCALES{-7 + 4};
    static constexpr EightDigits eight_digits(ShortestDecimal decimal) noexcept {
        return widen<4, 9999>(decimal);
    }
};

struct BFloat16 : NarrowFloat<7, 127> {
    using Bits = uint16_t;
    static constexpr Scales SCALES{-7 + 5};
    static constexpr EightDigits eight_digits(ShortestDecimal decimal) noexcept {
        return widen<3, 999>(decimal);
    }
};

template <class Float>
EightDigits eight_digits_of(typename Float::Bits bits) noexcept {
    const uint32_t fraction = bits & Float::FRACTION_MASK;
    const uint32_t field = (bits / Float::HIDDEN) & Float::FIELD_MASK;
    if (__builtin_expect(Float::is_regular(Float::SCALES, field, fraction), true)) {
        return Float::eight_digits(Float::shortest(Float::SCALES, field, fraction));
    }
    return eight_digits_slowly<Float>(field, fraction);
}

template <class Float>
char* write_block(char* out, const typename Float::Bits* numbers, size_t count) noexcept {
    using Bits = typename Float::Bits;
    uint32_t eights[BLOCK];
    int16_t rows[BLOCK];
    uint64_t words[BLOCK];
    for (size_t i = 0; i < count; ++i) {
        const EightDigits number = eight_digits_of<Float>(numbers[i]);
        eights[i] = number.digits;
        rows[i] = static_cast<int16_t>(number.row);
    }
    for (size_t i = count; i % 4 != 0; ++i) eights[i] = 0;
    digits::split(eights, words, count);
    *out = '-';
    for (size_t i = 0; i < count; ++i) {
        const Bits bits = numbers[i];
        const bool negative = bits >> (8 * sizeof(Bits) - 1);
        if (__builtin_expect(rows[i] == SPECIAL, false)) {
            out = write_special(out, negative, bits & Float::FRACTION_MASK);
        } else {
            out = write_number(out + negative, words[i], ROWS.rows[rows[i]]);
        }
    }
    return out;
}

template <class Float>
char* write_floats(char* out, const void* data, size_t count) noexcept {
    const auto* numbers = static_cast<const typename Float::Bits*>(data);
    for (size_t done = 0; done < count; done += BLOCK) {
        out = write_block<Float>(out, numbers + done, std::min(BLOCK, count - done));
    }
    return out;
}

}  // namespace

char* write_float16s(char* out, const void* data, size_t count) noexcept {
    return write_floats<Float16>(out, data, count);
}

char* write_bfloat16s(char* out, const void* data, size_t count) noexcept {
    return write_floats<BFloat16>(out, data, count);
}

char* write_float32s(char* out, const void* data, size_t count) noexcept {
    return write_floats<Float32>(out, data, count);
}

}  // namespace torch_serving
