// Powers of ten to 128 bits, made by the compiler.
#pragma once

#include <cstdint>

namespace torch_serving {

__extension__ using Wide = unsigned __int128;

// exponent * log2(10) and exponent * log10(2), rounded down; for |exponent| < 1650.
constexpr int floor_log2_pow10(int exponent) noexcept { return (exponent * 1741647) >> 19; }
constexpr int floor_log10_pow2(int exponent) noexcept { return (exponent * 1262611) >> 22; }

// The first 128 bits, the highest of which is set.
struct PowerOfTen {
    uint64_t high;
    uint64_t low;
};

class PowersOfTen {
  public:
    static constexpr int LOWEST = -294;  // what doubles need
    static constexpr int HIGHEST = 323;

    constexpr PowersOfTen() noexcept {
        Digits power = {uint64_t{1} << 63, 0, 0};
        for (int exponent = 0; exponent <= HIGHEST; ++exponent) {
            powers_[exponent - LOWEST] = {power[0], power[1]};
            multiply_by_five(power);
        }
        power[0] = uint64_t{1} << 63;
        power[1] = power[2] = 0;
        for (int exponent = -1; exponent >= LOWEST; --exponent) {
            divide_by_five(power);
            powers_[exponent - LOWEST] = {power[0], power[1]};
        }
    }

    constexpr const PowerOfTen& operator[](int exponent) const noexcept {
        return powers_[exponent - LOWEST];
    }

  private:
    // A third word keeps what hundreds of steps cut off below the other two.
    using Digits = uint64_t[3];

    static constexpr void multiply_by_five(Digits& power) noexcept {
        uint64_t carry = 0;
        for (int i = 2; i >= 0; --i) {
            const Wide product = Wide{power[i]} * 5 + carry;
            power[i] = static_cast<uint64_t>(product);
            carry = static_cast<uint64_t>(product >> 64);
        }
        for (; carry != 0; carry >>= 1) {
            for (int i = 2; i > 0; --i) power[i] = power[i] >> 1 | power[i - 1] << 63;
            power[0] = power[0] >> 1 | carry << 63;
        }
    }

    static constexpr void divide_by_five(Digits& power) noexcept {
        uint64_t rest = 0;
        for (uint64_t& digit : power) {
            const Wide dividend = Wide{rest} << 64 | digit;
            digit = static_cast<uint64_t>(dividend / 5);
            rest = static_cast<uint64_t>(dividend % 5);
        }
        while (power[0] >> 63 == 0) {
            for (int i = 0; i < 2; ++i) power[i] = power[i] << 1 | power[i + 1] >> 63;
            power[2] <<= 1;
        }
    }

    PowerOfTen powers_[HIGHEST - LOWEST + 1] = {};
};

constexpr PowersOfTen POWERS;

}  // namespace torch_serving
