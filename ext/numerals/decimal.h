// Any JSON number, exactly: what plain_decimal.h does not read, or can't round.
#pragma once

#include <cstdint>

namespace torch_serving {

// A number as it is written: (-1)^negative * mantissa * 10^exponent.
struct Decimal {
    uint64_t mantissa;
    int64_t exponent;
    const char* digits;  // the text behind the sign
    const char* end;
    bool negative;
    bool integer;    // neither fraction nor exponent
    bool truncated;  // more digits than the mantissa holds
};

constexpr int MAX_DIGITS = 19;  // any 19 digits fit 64 bits

// Read the number that starts at `at` and ends where a scalar may end; false if there is none.
bool read_decimal(const char* at, const char* end, Decimal* number) noexcept;

// Whether a JSON number starts at `at` and ends where a scalar may end.
bool is_number(const char* at, const char* end) noexcept;

enum class Whole : uint8_t { yes, no, beyond };  // beyond 64 bits

// The size of a whole number, however it is written: `1.0`, `1e2` and `1000e-3` are some, too.
Whole read_whole(const Decimal& number, uint64_t* size) noexcept;

// The nearest double without its sign; infinity where there is none.
double nearest_double(const Decimal& number) noexcept;

// Compare the number, as written, with the double nearest to it: < 0, 0 or > 0. Needed only where
// that double lies half-way between two values of a narrower type, so it has few digits.
int compare_exactly(const Decimal& number, double value) noexcept;

}  // namespace torch_serving
