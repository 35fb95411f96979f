// float64; number_text.h has the rules. Where shortest_decimal.h finds no result, std::to_chars
// does.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "numerals/digits.h"
#include "numerals/float_form.h"
#include "numerals/number_text.h"
#include "numerals/shortest_decimal.h"

namespace torch_serving {

namespace {

constexpr size_t BLOCK = 32;
constexpr int DIGITS = 17;
constexpr uint64_t SIXTEEN = uint64_t{digits::EIGHT} * digits::EIGHT;

// How seventeen digits become text: all of them are written, and those behind the point once more.
struct Row {
    uint8_t digits_at = 0;
    uint8_t point_at = 1;
    uint8_t rest = 0;  // the first digit behind the point
    uint8_t rest_at = 0;
    uint8_t lengths[DIGITS + 1] = {};
};

// A row for each place of a point, and one for numbers with an exponent.
constexpr int SCIENTIFIC = HIGHEST_POINT - LOWEST_POINT + 1;

struct Rows {
    Row rows[SCIENTIFIC + 1] = {};

    constexpr Rows() noexcept {
        for (int point = LOWEST_POINT; point <= HIGHEST_POINT; ++point) {
            rows[point - LOWEST_POINT] = row(point);
        }
        rows[SCIENTIFIC] = row(1);
        for (int count = 1; count <= DIGITS; ++count) {
            rows[SCIENTIFIC].lengths[count] = static_cast<uint8_t>(scientific_length(count));
        }
    }

  private:
    static constexpr Row row(int point) noexcept {
        Row row;
        if (point <= 0) {
            row.digits_at = row.rest_at = static_cast<uint8_t>(2 - point);
        } else {
            row.point_at = row.rest = static_cast<uint8_t>(point);
            row.rest_at = static_cast<uint8_t>(point + 1);
        }
        for (int count = 1; count <= DIGITS; ++count) {
            row.lengths[count] = static_cast<uint8_t>(plain_length(count, point));
        }
        return row;
    }
};

constexpr Rows ROWS;

// A text of seventeen digits, and room to read beyond them.
[[gnu::always_inline]] inline char* write_number(char* out, const char* digits, int count,
                                                 int point) noexcept {
    const bool plain = is_plain(point);
    const Row& row = ROWS.rows[plain ? point - LOWEST_POINT : SCIENTIFIC];
    std::memcpy(out, "0.000000", 8);
    std::memcpy(out + row.digits_at, digits, DIGITS);
    std::memcpy(out + row.rest_at, digits + row.rest, DIGITS - 1);
    out[row.point_at] = '.';
    out += row.lengths[count];
    if (!plain) out = put_exponent(out, point - 1);
    *out++ = ',';
    return out;
}

// The digits of a block, and where they are not known yet, zero.
struct Block {
    static constexpr int STRIDE = 24;  // of the text: the last of eight characters, and sixteen

    uint32_t eights[2 * BLOCK + 2];
    uint64_t words[2 * BLOCK];
    char text[STRIDE * (BLOCK + 1)];
    uint8_t counts[BLOCK];
    int16_t points[BLOCK];

    void put(size_t number, ShortestDecimal decimal) noexcept {
        const bool short_of_one = decimal.digits < SIXTEEN;
        const uint64_t digits = decimal.digits * (1 + 9 * uint64_t{short_of_one});
        const uint64_t first = digits / SIXTEEN;
        const uint64_t others = digits - first * SIXTEEN;
        text[STRIDE * number + 7] = static_cast<char>('0' + first);
        eights[2 * number] = static_cast<uint32_t>(others / digits::EIGHT);
        eights[2 * number + 1] = static_cast<uint32_t>(others % digits::EIGHT);
        points[number] = static_cast<int16_t>(decimal.exponent + DIGITS - short_of_one);
    }

    void split(size_t count) noexcept {
        for (size_t i = 2 * count; i % 4 != 0; ++i) eights[i] = 0;
        digits::split(eights, words, 2 * count);
        for (size_t i = 0; i < count; ++i) {
            const uint64_t high = words[2 * i];
            const uint64_t low = words[2 * i + 1];
            digits::store(text + STRIDE * i + 8, digits::to_text(high));
            digits::store(text + STRIDE * i + 16, digits::to_text(low));
            const bool halved = low == 0;
            const uint64_t last = low | (high & -uint64_t{halved});
            const int zeros = __builtin_ctzll(last | uint64_t{1} << 63) / 8 + 8 * halved;
            counts[i] = static_cast<uint8_t>(DIGITS - zeros - (last == 0));
        }
    }
};

[[gnu::noinline]] char* write_slowly(char* out, uint64_t bits) noexcept {
    bits &= ~(uint64_t{1} << 63);
    double value;
    std::memcpy(&value, &bits, 8);
    char text[32];  // d.ddd...e+ddd
    char* end = std::to_chars(text, text + 32, value, std::chars_format::scientific).ptr;
    const char* exponent = std::find(text, end, 'e');
    int power = 0;
    std::from_chars(exponent + 1 + (exponent[1] == '+'), end, power);
    char digits[2 * DIGITS];
    std::fill_n(digits, sizeof digits, '0');
    digits[0] = text[0];
    int count = 1;
    for (const char* at = text + 2; at < exponent; ++at) digits[count++] = *at;
    return write_number(out, digits, count, power + 1);
}

char* write_block(char* out, const uint64_t* numbers, size_t count) noexcept {
    Block block;
    ShortestDecimal decimals[BLOCK];
    bool known[BLOCK];
    for (size_t i = 0; i < count; ++i) {
        const uint32_t field = numbers[i] >> 52 & Double::FIELD_MASK;
        known[i] = Double::shortest(field, numbers[i] & Double::FRACTION_MASK, decimals + i);
    }
    for (size_t i = 0; i < count; ++i) block.put(i, decimals[i]);
    block.split(count);
    for (size_t i = 0; i < count; ++i) {
        const bool negative = numbers[i] >> 63;
        const char* text = block.text + Block::STRIDE * i + 7;
        *out = '-';
        if (__builtin_expect(known[i], true)) {
            out = write_number(out + negative, text, block.counts[i], block.points[i]);
        } else if ((numbers[i] >> 52 & Double::FIELD_MASK) == Double::FIELD_MASK) {
            out = write_special(out, negative, numbers[i] & Double::FRACTION_MASK);
        } else {
            out = write_slowly(out + negative, numbers[i]);
        }
    }
    return out;
}

}  // namespace

char* write_float64s(char* out, const void* data, size_t count) noexcept {
    const auto* numbers = static_cast<const uint64_t*>(data);
    for (size_t done = 0; done < count; done += BLOCK) {
        out = write_block(out, numbers + done, std::min(BLOCK, count - done));
    }
    return out;
}

}  // namespace torch_serving
