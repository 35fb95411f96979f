#include "encoder.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "document.h"

namespace torch_serving {

namespace {

__extension__ using Wide = unsigned __int128;

constexpr size_t BATCH = 4096;  // numbers written between two looks at the memory that is left

char* write_word(char* out, std::string_view word) noexcept {
    std::memcpy(out, word.data(), word.size());
    return out + word.size();
}

// Shortest decimals, after "The Schubfach way to render doubles" (R. Giulietti, 2020). The value
// and the ends of the interval that rounds to it are scaled by a power of ten, and the shortest
// decimal in that interval is one of four candidates. For types of at most 32 bits, 64-bit powers
// are exact enough.
constexpr int LOWEST_POWER = -37;
constexpr int HIGHEST_POWER = 45;

constexpr int floor_log2_pow10(int exponent) noexcept { return (exponent * 1741647) >> 19; }
constexpr int floor_log10_pow2(int exponent) noexcept { return (exponent * 1262611) >> 22; }
constexpr int floor_log10_three_quarters_pow2(int exponent) noexcept {
    return (exponent * 1262611 - 524031) >> 22;
}

constexpr Wide pow5(int exponent) noexcept {
    Wide power = 1;
    for (int i = 0; i < exponent; ++i) power *= 5;
    return power;
}

// 10^exponent, scaled by a power of two to 64 bits, rounded up.
constexpr uint64_t scaled_pow10(int exponent) noexcept {
    Wide power = pow5(exponent < 0 ? -exponent : exponent);
    int bits = 0;
    while (bits < 128 && (power >> bits) != 0) ++bits;
    if (exponent >= 0) {
        if (bits <= 64) return static_cast<uint64_t>(power << (64 - bits));
        auto high = static_cast<uint64_t>(power >> (bits - 64));
        return high + ((power & ((Wide{1} << (bits - 64)) - 1)) != 0);
    }
    // long division: 2^(bits - 1) < power, so the first bit of the quotient comes after one
    // doubling
    Wide rest = Wide{1} << (bits - 1);
    uint64_t quotient = 0;
    for (int i = 0; i < 64; ++i) {
        rest <<= 1;
        quotient <<= 1;
        if (rest >= power) {
            rest -= power;
            quotient |= 1;
        }
    }
    return quotient + 1;
}

struct Powers {
    uint64_t values[HIGHEST_POWER - LOWEST_POWER + 1] = {};
    constexpr Powers() noexcept {
        for (int k = LOWEST_POWER; k <= HIGHEST_POWER; ++k)
            values[k - LOWEST_POWER] = scaled_pow10(k);
    }
};

constexpr Powers POWERS;

struct Decimal {
    uint32_t digits;
    int exponent;
};

// The product's integer part, its last bit set if anything was cut off.
uint32_t multiply_to_odd(uint64_t power, uint32_t value) noexcept {
    const Wide product = Wide{power} * value;
    const auto low = static_cast<uint64_t>(product);
    const auto high = static_cast<uint64_t>(product >> 64);
    return static_cast<uint32_t>(high) | ((low >> 32) > 1);
}

// `field` and `fraction` are the exponent and mantissa bits of a finite number other than zero;
// the value is significand * 2^exponent.
template <int Mantissa, int Bias>
Decimal shortest(uint32_t field, uint32_t fraction) noexcept {
    constexpr uint32_t HIDDEN = uint32_t{1} << Mantissa;
    const uint32_t significand = field != 0 ? HIDDEN | fraction : fraction;
    const int exponent = (field != 0 ? static_cast<int>(field) : 1) - Bias - Mantissa;
    const bool odd = significand & 1;
    const bool lower_is_closer = fraction == 0 && field > 1;
    const int k =
        lower_is_closer ? floor_log10_three_quarters_pow2(exponent) : floor_log10_pow2(exponent);
    const int shift = exponent + floor_log2_pow10(-k) + 1;
    const uint64_t power = POWERS.values[-k - LOWEST_POWER];
    const uint32_t middle = 4 * significand;
    const uint32_t value = multiply_to_odd(power, middle << shift);
    const uint32_t lower = multiply_to_odd(power, (middle - 2 + lower_is_closer) << shift) + odd;
    const uint32_t upper = multiply_to_odd(power, (middle + 2) << shift) - odd;
    const uint32_t whole = value / 4;
    const uint32_t tens = whole / 10;
    const bool tens_up = 40 * tens + 40 <= upper;
    const bool tens_fit = (lower <= 40 * tens) != tens_up;
    if (tens_fit && whole >= 10) return {tens + tens_up, k + 1};
    const bool up = 4 * whole + 4 <= upper;
    const bool fits = (lower <= 4 * whole) != up;
    const uint32_t half = 4 * whole + 2;
    const bool nearest = value > half || (value == half && (whole & 1));
    return {whole + (fits ? up : nearest), k};
}

constexpr char PAIRS[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748"
    "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495"
    "9697"
    "9899";

// Write a number of at most nine digits so that it ends at `end`; return its first digit.
char* write_backwards(char* end, uint32_t value) noexcept {
    while (value >= 100) {
        end -= 2;
        std::memcpy(end, PAIRS + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value < 10) {
        *--end = static_cast<char>('0' + value);
        return end;
    }
    end -= 2;
    std::memcpy(end, PAIRS + 2 * value, 2);
    return end;
}

constexpr int HIGHEST_POINT = 16;  // 1e15 is written out, 1e16 is not; as Python does
constexpr int LOWEST_POINT = -3;   // 0.0001 is written out, 0.00001 is not

// Write 0.d1d2d3... * 10^point: `count` digits, the first and last other than zero. Reads and
// writes `Places` characters whatever the count: copies of a fixed size are faster.
template <int Places>
char* format(char* out, const char* digits, int count, int point) noexcept {
    static_assert(Places >= HIGHEST_POINT);
    if (point > HIGHEST_POINT || point < LOWEST_POINT) {
        *out++ = digits[0];
        if (count > 1) {
            *out = '.';
            std::memcpy(out + 1, digits + 1, Places);
            out += count;
        }
        *out++ = 'e';
        return std::to_chars(out, out + 5, point - 1).ptr;
    }
    if (point <= 0) {
        std::memcpy(out, "0.000", 5);
        out += 2 - point;
        std::memcpy(out, digits, Places);
        return out + count;
    }
    std::memcpy(out, digits, Places);
    if (count > point) {
        std::memcpy(out + point + 1, digits + point, Places);
        out[point] = '.';
        return out + count + 1;
    }
    std::memset(out + count, '0', Places);
    return write_word(out + point, ".0");
}

char* write_special(char* out, bool negative, bool nan) noexcept {
    return write_word(out, nan ? "\"NaN\"" : negative ? "\"-Infinity\"" : "\"Infinity\"");
}

template <class Bits, int Mantissa, int Bias>
char* write_narrow(char* out, Bits bits) noexcept {
    constexpr uint32_t FIELD_MASK = 2 * Bias + 1;
    const uint32_t field = (bits >> Mantissa) & FIELD_MASK;
    const uint32_t fraction = bits & ((uint32_t{1} << Mantissa) - 1);
    const bool negative = bits >> (8 * sizeof bits - 1);
    if (field == FIELD_MASK) return write_special(out, negative, fraction != 0);
    *out = '-';
    out += negative;
    if (field == 0 && fraction == 0) return write_word(out, "0.0");
    const Decimal decimal = shortest<Mantissa, Bias>(field, fraction);
    char buffer[16 + 16];
    char* end = buffer + 16;
    char* first = write_backwards(end, decimal.digits);
    const int point = static_cast<int>(end - first) + decimal.exponent;
    while (end[-1] == '0') --end;
    return format<16>(out, first, static_cast<int>(end - first), point);
}

char* write_float16(char* out, uint16_t bits) noexcept {
    return write_narrow<uint16_t, 10, 15>(out, bits);
}
char* write_bfloat16(char* out, uint16_t bits) noexcept {
    return write_narrow<uint16_t, 7, 127>(out, bits);
}
char* write_float32(char* out, uint32_t bits) noexcept {
    return write_narrow<uint32_t, 23, 127>(out, bits);
}

char* write_float64(char* out, uint64_t bits) noexcept {
    constexpr uint64_t INFINITE = 0x7FF0000000000000;
    const bool negative = bits >> 63;
    bits &= ~(uint64_t{1} << 63);
    if (bits >= INFINITE) return write_special(out, negative, bits > INFINITE);
    *out = '-';
    out += negative;
    if (bits == 0) return write_word(out, "0.0");
    double value;
    std::memcpy(&value, &bits, 8);
    char buffer[48];  // d.ddd...e+ddd, and room to read past its end
    char* end = std::to_chars(buffer, buffer + 32, value, std::chars_format::scientific).ptr;
    const char* exponent = end - 1;
    while (*exponent != 'e') --exponent;
    int power = 0;
    for (const char* at = exponent + 2; at != end; ++at) power = power * 10 + (*at - '0');
    if (exponent[1] == '-') power = -power;
    const auto count = static_cast<int>(exponent - buffer);
    buffer[1] = buffer[0];  // over the point
    return format<17>(out, buffer + 1, count > 1 ? count - 1 : 1, power + 1);
}

char* write_boolean(char* out, uint8_t value) noexcept {
    return write_word(out, value ? "true" : "false");
}

template <class Integer>
char* write_whole(char* out, Integer value) noexcept {
    return std::to_chars(out, out + 20, value).ptr;
}

template <class Bits, char* (*write)(char*, Bits) noexcept>
char* write_each(char* out, const void* data, size_t count) noexcept {
    const auto* values = static_cast<const Bits*>(data);
    for (size_t i = 0; i < count; ++i) {
        out = write(out, values[i]);
        *out++ = ',';
    }
    return out;
}

struct Format {
    char* (*write)(char*, const void*, size_t) noexcept;
    uint8_t item_bytes;
    uint8_t most_characters;  // of one number, with its comma
};

template <class Integer>
constexpr Format WHOLE{write_each<Integer, write_whole<Integer>>, sizeof(Integer), 22};

// In the order of Element.
constexpr Format FORMATS[] = {
    {write_each<uint8_t, write_boolean>, 1, 6},
    WHOLE<uint8_t>,
    WHOLE<uint16_t>,
    WHOLE<uint32_t>,
    WHOLE<uint64_t>,
    WHOLE<int8_t>,
    WHOLE<int16_t>,
    WHOLE<int32_t>,
    WHOLE<int64_t>,
    {write_each<uint16_t, write_float16>, 2, 24},
    {write_each<uint16_t, write_bfloat16>, 2, 24},
    {write_each<uint32_t, write_float32>, 4, 24},
    {write_each<uint64_t, write_float64>, 8, 26},
};

constexpr size_t SLACK = 64;  // `format` may write past the end of a number

bool needs_escape(char c) noexcept {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

char* write_escape(char* out, char c) noexcept {
    *out++ = '\\';
    switch (c) {
        case '"':
        case '\\':
            *out++ = c;
            return out;
        case '\n':
            *out++ = 'n';
            return out;
        case '\r':
            *out++ = 'r';
            return out;
        case '\t':
            *out++ = 't';
            return out;
        default:
            constexpr char HEX[] = "0123456789abcdef";
            out = write_word(out, "u00");
            *out++ = HEX[static_cast<unsigned char>(c) >> 4];
            *out++ = HEX[c & 15];
            return out;
    }
}

}  // namespace

Writer::~Writer() { std::free(data_); }

char* Writer::reserve(size_t bytes) noexcept {
    if (failed_) return nullptr;
    size_t needed = size_ + bytes + SLACK;
    if (needed > capacity_) {
        size_t capacity = std::max(needed, capacity_ + capacity_ / 2);
        void* larger = std::realloc(data_, capacity);
        if (larger == nullptr) {
            failed_ = true;
            return nullptr;
        }
        data_ = static_cast<char*>(larger);
        capacity_ = capacity;
    }
    return data_ + size_;
}

void Writer::write(std::string_view text) noexcept {
    char* out = reserve(text.size());
    if (out == nullptr) return;
    std::memcpy(out, text.data(), text.size());
    size_ += text.size();
}

void Writer::write_string(std::string_view utf8) noexcept {
    const auto escapes = std::count_if(utf8.begin(), utf8.end(), needs_escape);
    char* out = reserve(utf8.size() + 2 + 5 * static_cast<size_t>(escapes));
    if (out == nullptr) return;
    char* start = out;
    *out++ = '"';
    if (escapes == 0) {
        out = write_word(out, utf8);
    } else {
        for (char c : utf8) {
            if (needs_escape(c)) {
                out = write_escape(out, c);
            } else {
                *out++ = c;
            }
        }
    }
    *out++ = '"';
    size_ += static_cast<size_t>(out - start);
}

void Writer::write_integer(int64_t value) noexcept {
    char* out = reserve(20);
    if (out != nullptr) size_ += static_cast<size_t>(write_whole(out, value) - out);
}

void Writer::write_numbers(Element element, const void* data, size_t count) noexcept {
    if (count == 0) return;
    const Format& format = FORMATS[static_cast<size_t>(element)];
    const char* values = static_cast<const char*>(data);
    for (size_t done = 0; done < count; done += BATCH) {
        const size_t batch = std::min(BATCH, count - done);
        char* out = reserve(batch * format.most_characters);
        if (out == nullptr) return;
        char* end = format.write(out, values + done * format.item_bytes, batch);
        size_ += static_cast<size_t>(end - out);
    }
    --size_;  // the last comma
}

void Writer::clear() noexcept {
    size_ = 0;
    failed_ = false;
    if (capacity_ > KEPT_BYTES) {
        std::free(data_);
        data_ = nullptr;
        capacity_ = 0;
    }
}

}  // namespace torch_serving
