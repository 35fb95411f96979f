// Integers and booleans; number_text.h has the rules.
#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "numerals/digits.h"
#include "numerals/number_text.h"

namespace torch_serving {

namespace {

constexpr size_t BLOCK = 32;

// Whole texts, for types of one byte.
struct Word {
    char text[7] = {};
    uint8_t length = 0;
};

constexpr Word word(std::string_view text) noexcept {
    Word word;
    for (char c : text) word.text[word.length++] = c;
    word.text[word.length++] = ',';
    return word;
}

struct Booleans {
    Word words[256] = {};
    constexpr Booleans() noexcept {
        for (int value = 0; value < 256; ++value) words[value] = word(value ? "true" : "false");
    }
};

template <class Byte>
struct Bytes {
    Word words[256] = {};
    constexpr Bytes() noexcept {
        for (int value = 0; value < 256; ++value) words[value] = word_of(static_cast<Byte>(value));
    }

  private:
    static constexpr Word word_of(int value) noexcept {
        char text[4] = {};
        char* at = text + 4;
        int rest = value < 0 ? -value : value;
        do {
            *--at = static_cast<char>('0' + rest % 10);
            rest /= 10;
        } while (rest != 0);
        if (value < 0) *--at = '-';
        return word({at, static_cast<size_t>(text + 4 - at)});
    }
};

template <class Words>
char* write_words(char* out, const void* data, size_t count) noexcept {
    static constexpr Words WORDS;
    const auto* values = static_cast<const uint8_t*>(data);
    for (size_t i = 0; i < count; ++i) {
        const Word& word = WORDS.words[values[i]];
        std::memcpy(out, &word, 8);
        out += word.length;
    }
    return out;
}

// Up to `Words` times eight digits, with zeros before them. The numbers of a block have as many
// words as the largest of them needs.
template <int Words>
struct Digits {
    uint32_t eights[BLOCK * Words + 3];
    uint64_t text[BLOCK * Words + Words];  // a copy of fixed size goes beyond the last number

    template <class Size>
    void split(const Size* sizes, size_t count) noexcept {
        for (size_t i = 0; i < count; ++i) {
            Size rest = sizes[i];
            for (int word = Words - 1; word > 0; --word) {
                eights[Words * i + word] = static_cast<uint32_t>(rest % digits::EIGHT);
                rest /= digits::EIGHT;
            }
            eights[Words * i] = static_cast<uint32_t>(rest);
        }
        for (size_t i = Words * count; i % 4 != 0; ++i) eights[i] = 0;
        digits::split(eights, text, Words * count);
    }

    // Turn a number's digits into text; return how many zeros come before it.
    int to_text(size_t number) noexcept {
        uint64_t* words = text + Words * number;
        uint64_t first = 0;
        int zeros = 0;
        for (int word = Words - 1; word >= 0; --word) {
            const uint64_t characters = digits::to_text(words[word]);
            const uint64_t values = characters ^ digits::ZEROS;
            const bool found = values != 0 || word == Words - 1;
            first = found ? values : first;
            zeros = found ? 8 * word : zeros;
            digits::store(reinterpret_cast<char*>(words + word), characters);
        }
        return zeros + __builtin_ctzll(first | uint64_t{1} << 63) / 8;
    }
};

char* write_comma(char* out) noexcept {
    std::memcpy(out, ",-", 2);  // and the sign that the next number may have
    return out + 1;
}

template <class Integer, class Size>
char* write_short(char* out, const Integer* values, const Size* sizes, size_t count) noexcept {
    uint32_t eights[BLOCK] = {};
    for (size_t i = 0; i < count; ++i) eights[i] = static_cast<uint32_t>(sizes[i]);
    uint64_t words[BLOCK];
    digits::split(eights, words, count);
    *out = '-';
    for (size_t i = 0; i < count; ++i) {
        const uint64_t text = digits::to_text(words[i]);
        const int zeros = __builtin_ctzll((text ^ digits::ZEROS) | uint64_t{1} << 63) / 8;
        out += values[i] < 0;
        digits::store(out, text >> (8 * zeros));
        out = write_comma(out + 8 - zeros);
    }
    return out;
}

template <int Words, class Integer, class Size>
char* write_long(char* out, const Integer* values, const Size* sizes, size_t count) noexcept {
    Digits<Words> digits;
    digits.split(sizes, count);
    uint8_t zeros[BLOCK];
    for (size_t i = 0; i < count; ++i) zeros[i] = static_cast<uint8_t>(digits.to_text(i));
    *out = '-';
    for (size_t i = 0; i < count; ++i) {
        const char* text = reinterpret_cast<const char*>(digits.text + Words * i);
        out += values[i] < 0;
        std::memcpy(out, text + zeros[i], 8 * Words);
        out = write_comma(out + 8 * Words - zeros[i]);
    }
    return out;
}

template <class Integer>
char* write_block(char* out, const Integer* values, size_t count) noexcept {
    using Size = std::conditional_t<sizeof(Integer) == 8, uint64_t, uint32_t>;
    Size sizes[BLOCK];
    Size largest = 0;
    for (size_t i = 0; i < count; ++i) {
        const auto bits = static_cast<Size>(values[i]);
        sizes[i] = values[i] < 0 ? 0 - bits : bits;
        largest |= sizes[i];
    }
    constexpr uint64_t SIXTEEN = uint64_t{digits::EIGHT} * digits::EIGHT;
    if (largest < digits::EIGHT) return write_short(out, values, sizes, count);
    if constexpr (sizeof(Integer) == 8) {
        if (largest >= SIXTEEN) return write_long<3>(out, values, sizes, count);
    }
    return write_long<2>(out, values, sizes, count);
}

}  // namespace

char* write_booleans(char* out, const void* data, size_t count) noexcept {
    return write_words<Booleans>(out, data, count);
}

template <class Integer>
char* write_integers(char* out, const void* data, size_t count) noexcept {
    if constexpr (sizeof(Integer) == 1) {
        return write_words<Bytes<Integer>>(out, data, count);
    } else {
        const auto* values = static_cast<const Integer*>(data);
        for (size_t done = 0; done < count; done += BLOCK) {
            out = write_block(out, values + done, std::min(BLOCK, count - done));
        }
        return out;
    }
}

template char* write_integers<uint8_t>(char*, const void*, size_t) noexcept;
template char* write_integers<uint16_t>(char*, const void*, size_t) noexcept;
template char* write_integers<uint32_t>(char*, const void*, size_t) noexcept;
template char* write_integers<uint64_t>(char*, const void*, size_t) noexcept;
template char* write_integers<int8_t>(char*, const void*, size_t) noexcept;
template char* write_integers<int16_t>(char*, const void*, size_t) noexcept;
template char* write_integers<int32_t>(char*, const void*, size_t) noexcept;
template char* write_integers<int64_t>(char*, const void*, size_t) noexcept;

}  // namespace torch_serving
