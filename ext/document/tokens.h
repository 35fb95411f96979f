// JSON text -> where its tokens start, by simdjson's first stage, which also checks UTF-8 and
// quotes.
//
// A position takes four bytes, so those of a text of short tokens are four times as large as
// itself. Therefore a long text is indexed window by window: only the positions of one window are
// held, and asking for a token of another one indexes that again. Whoever asks in the order of the
// text has each window indexed once.
//
// Rules of this file:
// - A window ends behind a comma, bracket, colon or space that stands outside of strings, or
//   behind a string: there simdjson starts anew as it would have gone on.
// - What is wrong, and where, does not depend on the windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "document/error.h"

namespace simdjson::internal {
class dom_parser_implementation;
}

namespace torch_serving {

// Deeper than any schema in use; bounds the recursion in whoever walks the values.
constexpr uint32_t MAX_DEPTH = 64;

// Texts up to the first size are one window: they would be indexed twice, once for the walk and
// once for the numbers. Windows of longer ones are small enough for their positions to stay in a
// cache.
constexpr size_t WHOLE_BYTES = size_t{4} << 20;
constexpr size_t WINDOW_BYTES = size_t{1} << 20;

// Consecutive tokens of one window: the bytes behind `text` where they start, and behind the last
// of them one more position, where the next token stands or the window ends.
struct Span {
    const uint32_t* tokens;
    uint32_t count;
    const char* text;
};

class Tokens {
  public:
    Tokens() noexcept;
    ~Tokens();
    Tokens(const Tokens&) = delete;
    Tokens& operator=(const Tokens&) = delete;

    // Index the first window. `window_bytes` is about how long windows are.
    Error open(const char* text, size_t length, size_t window_bytes) noexcept;
    // Index what was not reached, and return the error of the text as a whole.
    Error finish() noexcept;
    // Forget the text, and give memory for windows of more than so many bytes back.
    void release(size_t kept) noexcept;

    const char* text() const noexcept { return text_; }
    const char* end() const noexcept { return text_ + length_; }
    size_t error_offset() const noexcept { return error_offset_; }

    // Whether a token can be had without indexing.
    bool holds(uint32_t token) const noexcept { return token - first_ < count_; }
    // Whether there is such a token.
    bool has(uint32_t token) noexcept { return holds(token) || load(token); }
    // Where it starts; the end of the text behind the last one.
    const char* at(uint32_t token) noexcept {
        return has(token) ? window_ + positions_[token - first_] : end();
    }
    // Its first character, or '\0' behind the last one.
    char first(uint32_t token) noexcept {
        return has(token) ? window_[positions_[token - first_]] : '\0';
    }
    // The token and all behind it in its window.
    Span from(uint32_t token) noexcept {
        if (!has(token)) return {nullptr, 0, nullptr};
        return {positions_ + (token - first_), count_ - (token - first_), window_};
    }

    // Undo the escapes of `source`, which has a quote behind it and both memories simdjson's
    // padding.
    uint8_t* unescape(const uint8_t* source, uint8_t* target) const noexcept;

  private:
    struct Window {
        uint32_t begin;
        uint32_t token;  // the number of its first one
    };

    bool opens_too_deep() noexcept;
    bool load(uint32_t token) noexcept;
    void next() noexcept;
    int index_next(size_t* end) noexcept;
    int index(size_t begin, size_t end) noexcept;
    bool is_complete() const noexcept { return windows_.back().begin == length_; }

    std::unique_ptr<simdjson::internal::dom_parser_implementation> indexer_;
    std::vector<Window> windows_;  // those that were indexed, and the offset behind them
    const char* text_ = nullptr;
    size_t length_ = 0;
    size_t window_bytes_ = 0;
    size_t error_offset_ = 0;
    Error error_ = Error::none;

    // the current window
    const char* window_ = nullptr;
    const uint32_t* positions_ = nullptr;
    uint32_t first_ = 0;
    uint32_t count_ = 0;
};

}  // namespace torch_serving
