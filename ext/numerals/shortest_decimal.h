// Floats -> the shortest decimals that read back as the same number, the nearest of those.
//
// A float is significand * 2^exponent, and every decimal within half a unit in its last place reads
// back as it: within 2^(exponent - 1), the ends included where the significand is even. With
// 10^k <= 2^exponent < 10^(k + 1), and measured in 10^(k + 1), that interval is less than 1 wide
// and holds one integer at most. If there is one, it is the result, whatever zeros it ends with; if
// not, the nearest multiple of 1/10 is. That takes one product, and choices without a branch. (The
// interval and k are those of "The Schubfach way to render doubles", R. Giulietti, 2020, which has
// three products.)
#pragma once

#include <cstdint>

#include "numerals/powers_of_ten.h"

namespace torch_serving {

// digits * 10^exponent
struct ShortestDecimal {
    uint64_t digits;
    int exponent;
};

// `rest`, with 64 binary places, in tenths. A tie goes to the even digit, which is 2 for 2.5 and 8
// for 7.5: no other tie has a finite number of binary places.
constexpr uint32_t nearest_tenth(uint64_t rest) noexcept {
    return static_cast<uint32_t>(((rest >> 4) * 10 + (rest >> 63) + ((uint64_t{1} << 59) - 1)) >>
                                 60);
}

// Half, single and "brain" floats.
template <int Mantissa, int Bias>
class NarrowFloat {
  public:
    static constexpr uint32_t HIDDEN = uint32_t{1} << Mantissa;
    static constexpr uint32_t FRACTION_MASK = HIDDEN - 1;
    static constexpr uint32_t FIELD_MASK = 2 * Bias + 1;

    // What depends on the exponent bits only.
    struct Scales {
        uint64_t unit[FIELD_MASK + 1] = {};
        uint64_t gap[FIELD_MASK + 1] = {};
        uint32_t guard[FIELD_MASK + 1] = {};
        int8_t exponent[FIELD_MASK + 1] = {};
        constexpr explicit Scales(int exponent_of_zero) noexcept;
    };

    // Whether `shortest` takes it: all but infinities, NaN, subnormal numbers, and those powers of
    // two whose shortest decimal is another one because the interval below them is half as wide.
    static constexpr bool is_regular(const Scales& scales, uint32_t field,
                                     uint32_t fraction) noexcept {
        return fraction + scales.guard[field] <= FRACTION_MASK;
    }

    // Zero is a regular number whose unit is zero.
    static constexpr ShortestDecimal shortest(const Scales& scales, uint32_t field,
                                              uint32_t fraction) noexcept {
        return {digits(scales.unit[field], scales.gap[field], HIDDEN | fraction),
                scales.exponent[field]};
    }

    // Of any finite number other than zero.
    static constexpr ShortestDecimal shortest_slowly(uint32_t field, uint32_t fraction) noexcept;

  private:
    // Units are rounded up, so a product is too large by up to 2^24 in its last place. The ends of
    // no interval are as near to an integer as this, unless they are one: all 2^32 float32 were
    // compared with std::to_chars.
    static constexpr int DOUBT_BITS = 25;
    static constexpr uint64_t DOUBT = uint64_t{1} << DOUBT_BITS;

    static constexpr int binary_exponent(uint32_t field) noexcept {
        return static_cast<int>(field != 0 ? field : 1) - Bias - Mantissa;
    }

    // 2^exponent / 10^(k + 1), with 64 binary places, rounded up.
    static constexpr uint64_t unit_of(int exponent) noexcept {
        const int power = -floor_log10_pow2(exponent) - 1;
        const int shift = -1 - exponent - floor_log2_pow10(power);
        const uint64_t kept = POWERS[power].high >> shift;
        const bool exact = POWERS[power].low == 0 && kept << shift == POWERS[power].high;
        return kept + !exact;
    }

    // If `rest` is larger than this, the next integer is in the interval: it is 2^64 - 1 - half.
    static constexpr uint64_t gap_of(uint64_t unit) noexcept { return ~(unit / 2 + DOUBT); }

    static constexpr uint32_t digits(uint64_t unit, uint64_t gap, uint32_t significand) noexcept {
        const auto whole = static_cast<uint32_t>((Wide{unit} * significand) >> 64);
        const uint64_t rest = unit * significand;  // GCC spills both halves of one product
        gap += (uint64_t{significand} << (DOUBT_BITS + 1)) & (2 * DOUBT);  // odd: without its ends
        const uint32_t up = rest > gap;
        const uint32_t none = rest + gap < gap + gap;  // half < rest <= gap, as one comparison
        return 10 * (whole + up) + (nearest_tenth(rest) & -none);
    }

    static constexpr bool needs_its_own_interval(uint32_t field, uint64_t unit, int k) noexcept {
        const ShortestDecimal exact = shortest_slowly(field, 0);
        const uint32_t taken = digits(unit, gap_of(unit), HIDDEN);
        return exact.exponent < k || taken != exact.digits * (exact.exponent > k ? 10 : 1);
    }
};

template <int Mantissa, int Bias>
constexpr NarrowFloat<Mantissa, Bias>::Scales::Scales(int exponent_of_zero) noexcept {
    gap[0] = gap_of(0);
    guard[0] = FRACTION_MASK;  // from 1 on
    exponent[0] = static_cast<int8_t>(exponent_of_zero);
    guard[FIELD_MASK] = HIDDEN;  // always
    for (uint32_t field = 1; field < FIELD_MASK; ++field) {
        const int k = floor_log10_pow2(binary_exponent(field));
        unit[field] = unit_of(binary_exponent(field));
        gap[field] = gap_of(unit[field]);
        exponent[field] = static_cast<int8_t>(k);
        if (field > 1 && needs_its_own_interval(field, unit[field], k)) guard[field] = -1;  // at 0
    }
}

template <int Mantissa, int Bias>
constexpr ShortestDecimal NarrowFloat<Mantissa, Bias>::shortest_slowly(uint32_t field,
                                                                       uint32_t fraction) noexcept {
    const uint64_t unit = unit_of(binary_exponent(field));
    Wide value = Wide{unit} * (field != 0 ? HIDDEN | fraction : fraction);
    Wide lower = value - unit / (fraction == 0 ? 4 : 2) - DOUBT;
    Wide upper = value + unit / 2 + DOUBT;
    int exponent = floor_log10_pow2(binary_exponent(field)) + 1;
    for (;; --exponent) {
        const Wide half_more = value + (Wide{1} << 63);
        Wide nearest = half_more >> 64;
        if (static_cast<uint64_t>(half_more) == 0) nearest &= ~Wide{1};
        if (nearest << 64 < lower) ++nearest;
        const bool counts = value >> 64 != 0;  // one digit is one digit, so the nearest is better
        if (counts && nearest << 64 <= upper) return {static_cast<uint64_t>(nearest), exponent};
        value *= 10;
        lower *= 10;
        upper *= 10;
    }
}

// Doubles. Their powers are never exact enough to distinguish an end of an interval from what is
// close to it; where that would matter, which is rare, there is no result, and the caller must find
// it otherwise.
class Double {
  public:
    static constexpr uint64_t HIDDEN = uint64_t{1} << 52;
    static constexpr uint64_t FRACTION_MASK = HIDDEN - 1;
    static constexpr uint32_t FIELD_MASK = 2047;

    // False too for subnormal and special numbers. Zero has sixteen digits here.
    static bool shortest(uint32_t field, uint64_t fraction, ShortestDecimal* decimal) noexcept {
        const int exponent = static_cast<int>(field) - 1075;
        const int k = floor_log10_pow2(exponent);
        const Unit unit = unit_of(exponent, k);
        const uint64_t significand = uint64_t{field != 0} << 52 | fraction;
        const auto low = static_cast<uint64_t>((Wide{unit.low} * significand) >> 64);
        const uint64_t rest = unit.high * significand + low;
        const uint64_t whole =
            static_cast<uint64_t>((Wide{unit.high} * significand) >> 64) + (rest < low);
        const uint64_t half = unit.high / 2;
        const uint64_t tenths = (rest >> 4) * 10 + (uint64_t{1} << 59);
        const bool up = rest > ~half;
        const bool none = rest > half && !up;
        // a power of two has a narrower interval, which does not matter if it is a short decimal
        const bool doubt = is_small(rest - half) | is_small(rest + half) |
                           (none & is_small(tenths << 4)) | ((fraction == 0) & !is_small(rest)) |
                           ((field == 0) & (fraction != 0)) | (field == FIELD_MASK);
        decimal->digits = 10 * (whole + up) + (tenths >> 60 & -uint64_t{none});
        decimal->exponent = field != 0 ? k : -15;
        return !doubt;
    }

  private:
    struct Unit {
        uint64_t high;
        uint64_t low;
    };

    // 2^exponent / 10^(k + 1), with 128 binary places.
    static Unit unit_of(int exponent, int k) noexcept {
        const int shift = -1 - exponent - floor_log2_pow10(-k - 1);
        const PowerOfTen& power = POWERS[-k - 1];
        return {power.high >> shift, power.low >> shift | power.high << 1 << (63 - shift)};
    }

    // Of either sign; no error adds up to so much.
    static bool is_small(uint64_t difference) noexcept { return difference + 512 < 1024; }
};

}  // namespace torch_serving
