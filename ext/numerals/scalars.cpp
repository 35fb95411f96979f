#include "numerals/scalars.h"

#include <charconv>
#include <cstddef>
#include <cstring>

namespace torch_serving {

namespace {

// The next character of a string if it is ASCII, with its escape undone; '\0' for all others.
char next_ascii(const char** at, const char* end) noexcept {
    const char c = *(*at)++;
    if (c != '\\') return c;
    if (end - *at < 5 || std::memcmp(*at, "u00", 3) != 0) return '\0';
    unsigned value = 0;
    if (std::from_chars(*at + 3, *at + 5, value, 16).ptr != *at + 5) return '\0';
    *at += 5;
    return static_cast<char>(value);
}

}  // namespace

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

bool spells(const char* at, const char* end, std::string_view word) noexcept {
    for (char c : word) {
        if (++at >= end) return false;
        const char* next = at;
        if (next_ascii(&next, end) != c) return false;
        at = next - 1;
    }
    return ++at < end && *at == '"';
}

}  // namespace torch_serving
