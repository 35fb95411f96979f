#include "document/tokens.h"

#include <simdjson.h>

#include <algorithm>
#include <new>

#include "document/locate.h"
#include "numerals/scalars.h"

namespace torch_serving {

namespace {

constexpr size_t MAX_BYTES = 0xFFFFFF00;  // token positions have 32 bits
// How far before its end a window may be cut: most numbers are shorter.
constexpr size_t MOST_SOUGHT = 1024;

Error convert(int code) noexcept {
    switch (code) {
        case simdjson::SUCCESS:
            return Error::none;
        case simdjson::EMPTY:
            return Error::empty;
        case simdjson::UTF8_ERROR:
            return Error::encoding;
        case simdjson::UNCLOSED_STRING:
            return Error::unclosed_string;
        case simdjson::UNESCAPED_CHARS:
            return Error::control_character;
        case simdjson::MEMALLOC:
            return Error::out_of_memory;
        default:
            return Error::too_large;
    }
}

// The more important one of two errors of a text: that which simdjson would find in the whole.
Error worse(Error one, Error other) noexcept {
    for (Error error : {Error::out_of_memory, Error::too_large, Error::unclosed_string,
                        Error::control_character, Error::encoding}) {
        if (one == error || other == error) return error;
    }
    return Error::none;
}

// Whether no token goes on behind this character, unless it stands in a string.
bool ends_token(char c) noexcept { return ends_scalar(c) || c == '[' || c == '{'; }

}  // namespace

Tokens::Tokens() noexcept = default;
Tokens::~Tokens() = default;

Error Tokens::open(const char* text, size_t length, size_t window_bytes) noexcept {
    text_ = text;
    length_ = length;
    window_bytes_ = std::max<size_t>(window_bytes, 1);
    error_offset_ = 0;
    error_ = Error::none;
    first_ = count_ = 0;
    windows_.clear();
    if (length == 0) return Error::empty;
    if (length > MAX_BYTES) return Error::too_large;
    if (opens_too_deep()) return Error::too_deep;
    try {
        windows_.push_back({0, 0});
    } catch (const std::bad_alloc&) {
        return Error::out_of_memory;
    }
    next();
    return is_complete() ? finish() : Error::none;
}

// Whether nothing but opening brackets stand at the start, too many of them: such a text need not
// be indexed.
bool Tokens::opens_too_deep() noexcept {
    uint32_t depth = 0;
    for (size_t i = 0; i < length_; ++i) {
        if (text_[i] == '[') {
            if (++depth <= MAX_DEPTH) continue;
            error_offset_ = i;
            return true;
        }
        if (!is_space(text_[i])) break;
    }
    return false;
}

Error Tokens::finish() noexcept {
    while (error_ != Error::out_of_memory && !is_complete()) next();
    if (error_ == Error::encoding) error_offset_ = locate_bad_encoding(text_, length_);
    if (error_ == Error::unclosed_string || error_ == Error::control_character) {
        error_offset_ = locate_bad_string(text_, length_);
    }
    if (error_ == Error::none && windows_.back().token == 0) return Error::empty;
    return error_;
}

// Make the window current that holds this token, if there is one. What was indexed once is indexed
// again without fail: the memory is there.
bool Tokens::load(uint32_t token) noexcept {
    while (token >= windows_.back().token && error_ == Error::none && !is_complete()) next();
    if (token >= windows_.back().token || error_ != Error::none) return false;
    if (holds(token)) return true;
    const auto behind = std::upper_bound(
        windows_.begin(), windows_.end(), token,
        [](uint32_t number, const Window& window) { return number < window.token; });
    count_ = 0;
    if (index(behind[-1].begin, behind->begin) != simdjson::SUCCESS) return false;
    first_ = behind[-1].token;
    count_ = indexer_->n_structural_indexes;
    return holds(token);
}

// Index the window behind all others.
void Tokens::next() noexcept {
    const Window last = windows_.back();
    size_t end;
    const int code = index_next(&end);
    if (code != simdjson::SUCCESS && code != simdjson::EMPTY) error_ = worse(error_, convert(code));
    first_ = last.token;
    count_ = code == simdjson::SUCCESS ? indexer_->n_structural_indexes : 0;
    try {
        windows_.push_back({static_cast<uint32_t>(end), last.token + count_});
    } catch (const std::bad_alloc&) {
        error_ = Error::out_of_memory;
        count_ = 0;
    }
}

// Where a window ends depends on strings, and where those are is only known when it has been
// indexed: so one that ends within a string is indexed once more, up to the string's end. Indexing
// it three times is the most that a text can make us do.
int Tokens::index_next(size_t* end) noexcept {
    const size_t begin = windows_.back().begin;
    *end = length_;
    if (length_ - begin <= window_bytes_) return index(begin, length_);

    const size_t most = begin + window_bytes_;
    const size_t least = most - std::min(MOST_SOUGHT, window_bytes_);
    *end = most;
    while (*end > least && !ends_token(text_[*end - 1])) --*end;
    const bool found = *end > least;
    if (!found) *end = most;
    int code = index(begin, *end);
    if (!found && code != simdjson::UNCLOSED_STRING) {
        while (*end < length_ && !ends_token(text_[*end - 1])) ++*end;
        code = index(begin, *end);
    }
    if (code == simdjson::UNCLOSED_STRING && *end < length_) {
        const char* quote = closing_quote(text_ + begin, text_ + *end, text_ + length_);
        *end = quote == nullptr ? length_ : quote + 1 - text_;
        code = index(begin, *end);
    }
    return code;
}

int Tokens::index(size_t begin, size_t end) noexcept {
    const size_t bytes = end - begin;
    if (!indexer_) {
        auto code = simdjson::get_active_implementation()->create_dom_parser_implementation(
            bytes, MAX_DEPTH, indexer_);
        if (code) return code;
    } else if (indexer_->capacity() < bytes) {
        if (auto code = indexer_->set_capacity(bytes)) return code;
    }
    window_ = text_ + begin;
    const auto code = indexer_->stage1(reinterpret_cast<const uint8_t*>(window_), bytes,
                                       simdjson::stage1_mode::regular);
    positions_ = indexer_->structural_indexes.get();
    return code;
}

uint8_t* Tokens::unescape(const uint8_t* source, uint8_t* target) const noexcept {
    return indexer_->parse_string(source, target, false);
}

void Tokens::release(size_t kept) noexcept {
    text_ = nullptr;
    if (indexer_ && indexer_->capacity() > kept) indexer_.reset();
}

}  // namespace torch_serving
