#include "document/document.h"

#include <simdjson.h>

#include <cstring>
#include <new>

#include "numerals/decimal.h"
#include "numerals/scalars.h"

namespace torch_serving {

namespace {

constexpr size_t PADDING = simdjson::SIMDJSON_PADDING;

bool has_escape(std::string_view text) noexcept {
    return std::memchr(text.data(), '\\', text.size()) != nullptr;
}

size_t window_bytes_for(size_t length) noexcept {
    return length <= WHOLE_BYTES ? WHOLE_BYTES : WINDOW_BYTES;
}

}  // namespace

Error Document::parse(const char* text, size_t length, bool non_finite,
                      size_t window_bytes) noexcept {
    non_finite_ = non_finite;
    cursor_ = 0;
    nodes_.clear();
    if (window_bytes == 0) window_bytes = window_bytes_for(length);
    Error error = tokens_.open(text, length, window_bytes);
    error_offset_ = tokens_.error_offset();
    if (error != Error::none) return error;
    if (length > WHOLE_BYTES) nodes_.reserve(2 * length);  // nodes.h: no text has more
    try {
        error = walk();
    } catch (const std::bad_alloc&) {
        return Error::out_of_memory;
    }
    if (length > WHOLE_BYTES) nodes_.fit();
    // that a text is not UTF-8, or a string of it is not closed, matters more than its grammar
    const Error whole = tokens_.finish();
    if (whole == Error::none) return error;
    error_offset_ = tokens_.error_offset();
    return whole;
}

Error Document::fail(Error error, uint32_t token) noexcept {
    error_offset_ = tokens_.at(token) - text();
    return error;
}

Error Document::walk() {
    Error error = walk_value(1, NO_KEY);
    if (error != Error::none) return error;
    return tokens_.has(cursor_) ? fail(Error::trailing_text, cursor_) : Error::none;
}

Error Document::walk_value(uint32_t depth, uint32_t key) {
    const char c = tokens_.first(cursor_);
    if (c == '{' || c == '[') {
        if (depth > MAX_DEPTH) return fail(Error::too_deep, cursor_);
        return c == '{' ? walk_object(depth, key) : walk_array(depth, key);
    }
    Kind kind;
    Error error = check_scalar(cursor_, &kind);
    if (error == Error::none && kind == Kind::number) {
        if (!is_valid_number(tokens_.at(cursor_))) error = fail(Error::bad_number, cursor_);
    }
    if (error != Error::none) return error;
    ++cursor_;
    nodes_.add_scalar(kind, key);
    return Error::none;
}

Error Document::walk_array(uint32_t depth, uint32_t key) {
    const uint32_t start = cursor_++;
    uint32_t count = 0;
    Error error = walk_run(&count);
    if (error != Error::none) return error;
    if (tokens_.first(cursor_) == ']') {
        ++cursor_;
        nodes_.add_run(count, key);
        return Error::none;
    }
    // An array or object stands among the elements: index each one.
    cursor_ = start + 1;
    const uint32_t record = nodes_.open(Kind::array, key);
    for (count = 1;; ++count) {
        if ((error = walk_value(depth + 1, NO_KEY)) != Error::none) return error;
        const char c = tokens_.first(cursor_);
        if (c != ',' && c != ']') return fail(Error::expected_comma_or_end, cursor_);
        ++cursor_;
        if (c == ']') break;
    }
    nodes_.close(record, count, cursor_ - start);
    return Error::none;
}

// Go on behind numbers with commas behind them, as far as they can be had at once. Returns how
// many.
uint32_t Document::walk_numbers() noexcept {
    const Span span = tokens_.from(cursor_);
    uint32_t i = 0;
    while (i + 1 < span.count && starts_number(span.text[span.tokens[i]]) &&
           span.text[span.tokens[i + 1]] == ',') {
        i += 2;
    }
    cursor_ += i;
    return i / 2;
}

// Count scalars up to the closing bracket, or stop at an opening one.
Error Document::walk_run(uint32_t* count) {
    if (tokens_.first(cursor_) == ']') return Error::none;
    while (true) {
        *count += walk_numbers();
        char c = tokens_.first(cursor_);
        if (c == '[' || c == '{') return Error::none;
        if (!starts_number(c)) {  // numbers are checked by whoever reads them
            Kind kind;
            Error error = check_scalar(cursor_, &kind);
            if (error != Error::none) return error;
        }
        ++*count;
        c = tokens_.first(++cursor_);
        if (c == ']') return Error::none;
        if (c != ',') return fail(Error::expected_comma_or_end, cursor_);
        ++cursor_;
    }
}

Error Document::walk_object(uint32_t depth, uint32_t key) {
    const uint32_t start = cursor_++;
    const uint32_t record = nodes_.open(Kind::object, key);
    uint32_t count = 0;
    if (tokens_.first(cursor_) != '}') {
        do {
            if (++count > MAX_MEMBERS) return fail(Error::too_many_members, cursor_);
            Error error = walk_member(depth + 1);
            if (error != Error::none) return error;
        } while (tokens_.first(cursor_) == ',' && ++cursor_);
        if (tokens_.first(cursor_) != '}') return fail(Error::expected_comma_or_end, cursor_);
    }
    ++cursor_;
    nodes_.close(record, count, cursor_ - start);
    return Error::none;
}

Error Document::walk_member(uint32_t depth) {
    const char* key = tokens_.at(cursor_);
    if (tokens_.first(cursor_) != '"') return fail(Error::expected_key, cursor_);
    Error error = check_string(key);
    if (error != Error::none) return fail(error, cursor_);
    if (tokens_.first(++cursor_) != ':') return fail(Error::expected_colon, cursor_);
    ++cursor_;
    return walk_value(depth, static_cast<uint32_t>(key - text()));
}

Error Document::check_scalar(uint32_t token, Kind* kind) {
    const char* start = tokens_.at(token);
    const char c = tokens_.first(token);
    if (starts_number(c)) {
        *kind = Kind::number;
        return Error::none;
    }
    if (c == '"') {
        *kind = Kind::string;
        Error error = check_string(start);
        return error == Error::none ? error : fail(error, token);
    }
    if (c == 't' || c == 'f' || c == 'n') {
        *kind = c == 'n' ? Kind::null : Kind::boolean;
        std::string_view literal = c == 't' ? "true" : c == 'f' ? "false" : "null";
        return is_literal(start, end(), literal) ? Error::none : fail(Error::bad_literal, token);
    }
    if (non_finite_ && is_non_finite(start, end())) {
        *kind = Kind::number;
        return Error::none;
    }
    return fail(Error::expected_value, token);
}

bool Document::is_valid_number(const char* start) const noexcept {
    return is_number(start, end()) || (non_finite_ && is_non_finite(start, end()));
}

Error Document::check_string(const char* start) {
    std::string_view text = string_content(start, end());
    if (!has_escape(text)) return Error::none;
    std::string_view unused;
    return unescape(text, &unused);
}

// simdjson reads and writes whole vectors beyond both ends, so it works on a padded copy.
Error Document::unescape(std::string_view text, std::string_view* out) {
    size_t room = text.size() + 1 + PADDING;
    if (scratch_.size() < 2 * room) scratch_.resize(2 * room);
    uint8_t* source = scratch_.data();
    uint8_t* target = source + room;
    std::memcpy(source, text.data(), text.size());
    std::memset(source + text.size(), '"', 1 + PADDING);
    uint8_t* stop = tokens_.unescape(source, target);
    if (stop == nullptr) return Error::bad_string;
    *out = {reinterpret_cast<const char*>(target), static_cast<size_t>(stop - target)};
    return Error::none;
}

const char* Document::start(NodeId id, int64_t element) noexcept {
    const Node node = nodes_.at(id);
    if (element >= 0) return tokens_.at(static_cast<uint32_t>(node.token + 1 + 2 * element));
    if (!node.is_member() || tokens_.holds(node.token)) return tokens_.at(node.token);
    const char* at = text() + node.key;
    at = closing_quote(at + 1, at + 1, end()) + 1;
    while (is_space(*at)) ++at;
    ++at;  // the colon
    while (is_space(*at)) ++at;
    return at;
}

Kind Document::scalar_kind(const char* start) const noexcept {
    switch (*start) {
        case '"':
            return Kind::string;
        case 't':
        case 'f':
            return Kind::boolean;
        case 'n':
            return Kind::null;
        default:
            return Kind::number;
    }
}

std::string_view Document::raw(const char* start) const noexcept {
    if (*start == '"') return {start, string_content(start, end()).size() + 2};
    const char* stop = start;
    while (stop != end() && !ends_scalar(*stop)) ++stop;
    return {start, static_cast<size_t>(stop - start)};
}

std::string_view Document::string(const char* start) noexcept {
    std::string_view text = string_content(start, end());
    // parse has unescaped it once, so neither the escapes nor the memory can fail now
    if (has_escape(text)) unescape(text, &text);
    return text;
}

Error Document::validate() noexcept {
    return nodes_.all_checked() ? Error::none : validate_below(nodes_.at(0));
}

Error Document::validate_below(const Node& node) noexcept {
    if (node.kind == Kind::run) return node.checked ? Error::none : validate_run(node);
    NodeId id = node.child;
    for (uint32_t i = 0; i < node.count; ++i) {
        const Node child = nodes_.at(id);
        const Error error = validate_below(child);
        if (error != Error::none) return error;
        id = child.next;
    }
    return Error::none;
}

Error Document::validate_run(const Node& run) noexcept {
    uint32_t token = run.token + 1;
    for (uint32_t i = 0; i < run.count; ++i, token += 2) {
        if (!starts_number(tokens_.first(token))) continue;
        if (!is_valid_number(tokens_.at(token))) return fail(Error::bad_number, token);
    }
    return Error::none;
}

void Document::release() noexcept {
    tokens_.release(KEPT_BYTES);
    nodes_.release(KEPT_BYTES);
    if (scratch_.capacity() > KEPT_BYTES) std::vector<uint8_t>().swap(scratch_);
}

}  // namespace torch_serving
