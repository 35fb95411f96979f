// Numbers of eight digits -> their digits, without a branch or a division.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace torch_serving::digits {

constexpr uint32_t EIGHT = 100000000;  // eight digits are fewer
constexpr uint64_t ZEROS = 0x3030303030303030;

#ifdef __SSE2__

// Two numbers, in the low halves of the two lanes. Each step halves all groups of digits: a
// quotient goes into the upper half of its lane, and what it stood for is taken from the lower
// half.
inline __m128i split_two(__m128i numbers) noexcept {
    const __m128i high = _mm_srli_epi64(_mm_mul_epu32(numbers, _mm_set1_epi64x(109951163)), 40);
    const __m128i fours =
        _mm_add_epi64(numbers, _mm_mul_epu32(high, _mm_set1_epi64x((int64_t{1} << 32) - 10000)));
    const __m128i hundreds = _mm_srli_epi16(_mm_mulhi_epu16(fours, _mm_set1_epi16(5243)), 3);
    const __m128i twos =
        _mm_add_epi16(_mm_sub_epi16(fours, _mm_mullo_epi16(hundreds, _mm_set1_epi16(100))),
                      _mm_slli_epi32(hundreds, 16));
    const __m128i tens = _mm_mulhi_epu16(twos, _mm_set1_epi16(6554));
    return _mm_add_epi16(twos, _mm_mullo_epi16(tens, _mm_set1_epi16((1 << 8) - 10)));
}

inline void split_four(const uint32_t* numbers, uint64_t* words) noexcept {
    const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(numbers));
    const __m128i even = split_two(_mm_and_si128(four, _mm_set1_epi64x(0xFFFFFFFF)));
    const __m128i odd = split_two(_mm_srli_epi64(four, 32));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words), _mm_unpacklo_epi64(even, odd));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words + 2), _mm_unpackhi_epi64(even, odd));
}

#else

// As `split_two` above, with one number in a word.
inline uint64_t split_one(uint32_t number) noexcept {
    const uint64_t high = uint64_t{number} * 109951163 >> 40;
    const uint64_t fours = number + high * ((uint64_t{1} << 32) - 10000);
    const uint64_t hundreds = (fours * 5243 >> 19) & 0x0000007F0000007F;
    const uint64_t twos = fours + hundreds * ((1 << 16) - 100);
    const uint64_t tens = (twos * 103 >> 10) & 0x000F000F000F000F;
    return twos + tens * ((1 << 8) - 10);
}

inline void split_four(const uint32_t* numbers, uint64_t* words) noexcept {
    for (int i = 0; i < 4; ++i) words[i] = split_one(numbers[i]);
}

#endif

// The eight digits of each number as values 0 to 9, the last in the lowest byte. `count` is rounded
// up to a multiple of four.
inline void split(const uint32_t* numbers, uint64_t* words, size_t count) noexcept {
    for (size_t i = 0; i < count; i += 4) split_four(numbers + i, words + i);
}

// Digits as `split` gives them -> characters in a word whose lowest byte is the first of them.
inline uint64_t to_text(uint64_t word) noexcept { return __builtin_bswap64(word) | ZEROS; }

// Write the eight characters of a word, the lowest byte first.
inline void store(char* out, uint64_t text) noexcept {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    text = __builtin_bswap64(text);
#endif
    std::memcpy(out, &text, 8);
}

}  // namespace torch_serving::digits
