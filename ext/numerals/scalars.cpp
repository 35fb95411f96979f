#include "numerals/scalars.h"

#include <cstddef>
#include <cstring>

namespace torch_serving {

bool is_literal(const char* at, const char* end, std::string_view literal) noexcept {
    if (static_cast<size_t>(end - at) < literal.size()) return false;
    if (std::memcmp(at, literal.data(), literal.size()) != 0) return false;
    at += literal.size();
    return at == end || ends_scalar(*at);
}

bool is_non_finite(const char* at, const char* end) noexcept {
    return is_literal(at, end, "NaN") || is_literal(at, end, "Infinity") ||
           is_literal(at, end, "-Infinity");
}

const char* closing_quote(const char* start, const char* at, const char* end) noexcept {
    while (true) {
        const char* quote = static_cast<const char*>(std::memchr(at, '"', end - at));
        if (quote == nullptr) return nullptr;
        const char* slash = quote;
        while (slash > start && slash[-1] == '\\') --slash;
        if ((quote - slash) % 2 == 0) return quote;
        at = quote + 1;
    }
}

std::string_view string_content(const char* opening, const char* end) noexcept {
    const char* start = opening + 1;
    return {start, static_cast<size_t>(closing_quote(start, start, end) - start)};
}

}  // namespace torch_serving
