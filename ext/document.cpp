#include "document.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "decimal.h"

namespace torch_serving {

namespace {

constexpr size_t PADDING = simdjson::SIMDJSON_PADDING;
constexpr size_t MAX_BYTES = 0xFFFFFF00;  // token positions have 32 bits

bool ends_scalar(char c) noexcept {
    switch (c) {
        case ' ':
        case '\t':
        case '\n':
        case '\r':
        case ',':
        case ':':
        case ']':
        case '}':
            return true;
        default:
            return false;
    }
}

bool is_literal(const char* at, const char* end, std::string_view literal) noexcept {
    if (static_cast<size_t>(end - at) < literal.size()) return false;
    if (std::memcmp(at, literal.data(), literal.size()) != 0) return false;
    at += literal.size();
    return at == end || ends_scalar(*at);
}

// The closing quote of a string whose content starts at `at`. The indexer has seen that there is
// one.
const char* closing_quote(const char* at, const char* end) noexcept {
    const char* start = at;
    while (true) {
        const char* quote = static_cast<const char*>(std::memchr(at, '"', end - at));
        const char* slash = quote;
        while (slash > start && slash[-1] == '\\') --slash;
        if ((quote - slash) % 2 == 0) return quote;
        at = quote + 1;
    }
}

std::string_view content(const char* opening, const char* end) noexcept {
    const char* start = opening + 1;
    return {start, static_cast<size_t>(closing_quote(start, end) - start)};
}

bool has_escape(std::string_view text) noexcept {
    return std::memchr(text.data(), '\\', text.size()) != nullptr;
}

Error convert(simdjson::error_code code) noexcept {
    switch (code) {
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

}  // namespace

const char* message(Error error) noexcept {
    switch (error) {
        case Error::none:
            return "no error";
        case Error::empty:
            return "the body holds no JSON value";
        case Error::encoding:
            return "the body is not UTF-8";
        case Error::unclosed_string:
            return "a string is not closed";
        case Error::control_character:
            return "a string holds a control character that is not escaped";
        case Error::bad_string:
            return "a string holds an invalid escape";
        case Error::bad_literal:
            return "expected true, false or null";
        case Error::bad_number:
            return "not a JSON number";
        case Error::expected_value:
            return "expected a value";
        case Error::expected_key:
            return "expected a key in double quotes";
        case Error::expected_colon:
            return "expected a colon after the key";
        case Error::expected_comma_or_end:
            return "expected a comma or the end of the array or object";
        case Error::trailing_text:
            return "text after the end of the document";
        case Error::duplicate_key:
            return "a key stands twice in one object";
        case Error::too_deep:
            return "nested deeper than 64 levels";
        case Error::too_many_members:
            return "an object has more than 100000 members";
        case Error::too_large:
            return "the body is larger than 4 GiB";
        case Error::out_of_memory:
            return "out of memory";
        case Error::not_integer:
            return "expected an integer";
        case Error::not_number:
            return "expected a number";
        case Error::not_boolean:
            return "expected true, false, 0 or 1";
        case Error::out_of_range:
            return "the number does not fit its type";
        case Error::ragged:
            return "nested arrays differ in length or depth";
        case Error::not_shape:
            return "expected an array of non-negative integers";
        case Error::bad_dimension:
            return "expected a non-negative integer";
        case Error::shape_overflow:
            return "the product of the dimensions overflows 64 bits";
        case Error::too_many_dimensions:
            return "more than 32 dimensions";
    }
    return "unknown error";
}

bool is_non_finite(const char* at, const char* end) noexcept {
    return is_literal(at, end, "NaN") || is_literal(at, end, "Infinity") ||
           is_literal(at, end, "-Infinity");
}

Document::Document() noexcept = default;
Document::~Document() = default;

Error Document::parse(const char* text, size_t length, bool non_finite) noexcept {
    text_ = text;
    non_finite_ = non_finite;
    length_ = length;
    error_offset_ = 0;
    cursor_ = 0;
    nodes_.clear();
    try {
        Error error = index_tokens();
        return error == Error::none ? walk() : error;
    } catch (const std::bad_alloc&) {
        return Error::out_of_memory;
    }
}

// simdjson's first stage: it checks UTF-8 and quotes, and finds where every token starts.
Error Document::index_tokens() noexcept {
    if (length_ == 0) return Error::empty;
    if (length_ > MAX_BYTES) return Error::too_large;
    if (opens_too_deep()) return Error::too_deep;
    if (!indexer_) {
        auto code = simdjson::get_active_implementation()->create_dom_parser_implementation(
            length_, MAX_DEPTH, indexer_);
        if (code) return convert(code);
    } else if (indexer_->capacity() < length_) {
        if (auto code = indexer_->set_capacity(length_)) return convert(code);
    }
    auto code = indexer_->stage1(reinterpret_cast<const uint8_t*>(text_), length_,
                                 simdjson::stage1_mode::regular);
    if (code) {
        Error error = convert(code);
        if (error == Error::encoding) locate_bad_encoding();
        if (error == Error::unclosed_string || error == Error::control_character) {
            locate_bad_string();
        }
        return error;
    }
    tokens_ = indexer_->structural_indexes.get();
    token_count_ = indexer_->n_structural_indexes;
    return Error::none;
}

// Whether nothing but opening brackets stand at the start, too many of them: the index of such a
// text would take four times its memory.
bool Document::opens_too_deep() noexcept {
    uint32_t depth = 0;
    for (; error_offset_ < length_ && depth <= MAX_DEPTH; ++error_offset_) {
        const char c = text_[error_offset_];
        if (c == '[') {
            ++depth;
        } else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            break;
        }
    }
    const bool too_deep = depth > MAX_DEPTH;
    error_offset_ = too_deep ? error_offset_ - 1 : 0;
    return too_deep;
}

// How many bytes the UTF-8 sequence at `at` has, or 0 if it is none.
static int sequence_length(const unsigned char* at, const unsigned char* end) noexcept {
    const unsigned char lead = *at;
    if (lead < 0x80) return 1;
    const int length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || end - at < length) return 0;
    for (int i = 1; i < length; ++i) {
        if ((at[i] & 0xC0) != 0x80) return 0;
    }
    const bool overlong = (lead == 0xE0 && at[1] < 0xA0) || (lead == 0xF0 && at[1] < 0x90);
    const bool beyond = (lead == 0xED && at[1] > 0x9F) || (lead == 0xF4 && at[1] > 0x8F);
    return overlong || beyond ? 0 : length;
}

// Slow and only for the message: the first byte that starts no UTF-8 sequence.
void Document::locate_bad_encoding() noexcept {
    const auto* start = reinterpret_cast<const unsigned char*>(text_);
    const auto* at = start;
    const auto* end = start + length_;
    while (at != end) {
        const int length = sequence_length(at, end);
        if (length == 0) break;
        at += length;
    }
    error_offset_ = static_cast<size_t>(at - start);
}

// Slow and only for the message: the first control character in a string, else its opening quote.
void Document::locate_bad_string() noexcept {
    bool inside = false;
    for (size_t i = 0; i < length_; ++i) {
        auto c = static_cast<unsigned char>(text_[i]);
        if (c == '"') {
            inside = !inside;
            if (inside) error_offset_ = i;
        } else if (inside && c == '\\') {
            ++i;
        } else if (inside && c < 0x20) {
            error_offset_ = i;
            return;
        }
    }
}

Error Document::fail(Error error, uint32_t token) noexcept {
    error_offset_ = token < token_count_ ? tokens_[token] : length_;
    return error;
}

Error Document::walk() {
    Error error = walk_value(1);
    if (error != Error::none) return error;
    return cursor_ == token_count_ ? Error::none : fail(Error::trailing_text, cursor_);
}

Error Document::walk_value(uint32_t depth) {
    char c = first(cursor_);
    if (c == '{' || c == '[') {
        if (depth > MAX_DEPTH) return fail(Error::too_deep, cursor_);
        return c == '{' ? walk_object(depth) : walk_array(depth);
    }
    Node node{cursor_, 0, 0, Kind::null, true};
    Error error = check_scalar(cursor_, &node.kind);
    if (error == Error::none && node.kind == Kind::number) {
        if (!is_valid_number(cursor_)) error = fail(Error::bad_number, cursor_);
    }
    if (error != Error::none) return error;
    ++cursor_;
    node.next = static_cast<uint32_t>(nodes_.size()) + 1;
    nodes_.push_back(node);
    return Error::none;
}

Error Document::walk_array(uint32_t depth) {
    uint32_t self = static_cast<uint32_t>(nodes_.size());
    uint32_t start = cursor_++;
    nodes_.push_back({start, 0, self + 1, Kind::run, false});
    uint32_t count = 0;
    Error error = walk_run(&count);
    if (error != Error::none) return error;
    if (first(cursor_) == ']') {
        ++cursor_;
        nodes_[self].count = count;
        return Error::none;
    }
    // An array or object stands among the elements: index each one.
    cursor_ = start + 1;
    for (count = 1;; ++count) {
        if ((error = walk_value(depth + 1)) != Error::none) return error;
        char c = first(cursor_);
        if (c != ',' && c != ']') return fail(Error::expected_comma_or_end, cursor_);
        ++cursor_;
        if (c == ']') break;
    }
    uint32_t next = static_cast<uint32_t>(nodes_.size());
    nodes_[self] = {start, count, next, Kind::array, true};
    return Error::none;
}

// Count scalars up to the closing bracket, or stop at an opening one.
Error Document::walk_run(uint32_t* count) {
    if (first(cursor_) == ']') return Error::none;
    while (true) {
        char c = first(cursor_);
        if (c == '[' || c == '{') return Error::none;
        if (!starts_number(c)) {  // numbers are checked by whoever reads them
            Kind kind;
            Error error = check_scalar(cursor_, &kind);
            if (error != Error::none) return error;
        }
        ++*count;
        c = first(++cursor_);
        if (c == ']') return Error::none;
        if (c != ',') return fail(Error::expected_comma_or_end, cursor_);
        ++cursor_;
    }
}

Error Document::walk_object(uint32_t depth) {
    uint32_t self = static_cast<uint32_t>(nodes_.size());
    uint32_t start = cursor_++;
    nodes_.push_back({start, 0, self + 1, Kind::object, true});
    if (first(cursor_) == '}') {
        ++cursor_;
        return Error::none;
    }
    for (uint32_t count = 1;; ++count) {
        if (count > MAX_MEMBERS) return fail(Error::too_many_members, cursor_);
        if (first(cursor_) != '"') return fail(Error::expected_key, cursor_);
        Error error = check_string(cursor_++);
        if (error != Error::none) return error;
        if (first(cursor_) != ':') return fail(Error::expected_colon, cursor_);
        ++cursor_;
        if ((error = walk_value(depth + 1)) != Error::none) return error;
        char c = first(cursor_);
        if (c != ',' && c != '}') return fail(Error::expected_comma_or_end, cursor_);
        ++cursor_;
        if (c == '}') {
            nodes_[self].count = count;
            nodes_[self].next = static_cast<uint32_t>(nodes_.size());
            return Error::none;
        }
    }
}

Error Document::check_scalar(uint32_t token, Kind* kind) {
    char c = first(token);
    if (starts_number(c)) {
        *kind = Kind::number;
        return Error::none;
    }
    if (c == '"') {
        *kind = Kind::string;
        return check_string(token);
    }
    if (c == 't' || c == 'f' || c == 'n') {
        *kind = c == 'n' ? Kind::null : Kind::boolean;
        std::string_view literal = c == 't' ? "true" : c == 'f' ? "false" : "null";
        return is_literal(at(token), end(), literal) ? Error::none
                                                     : fail(Error::bad_literal, token);
    }
    if (non_finite_ && is_non_finite(at(token), end())) {
        *kind = Kind::number;
        return Error::none;
    }
    return fail(Error::expected_value, token);
}

bool Document::is_valid_number(uint32_t token) const noexcept {
    return is_number(at(token), end()) || (non_finite_ && is_non_finite(at(token), end()));
}

Error Document::check_string(uint32_t token) {
    std::string_view text = content(at(token), end());
    if (!has_escape(text)) return Error::none;
    std::string_view unused;
    return unescape(text, &unused) == Error::none ? Error::none : fail(Error::bad_string, token);
}

// simdjson reads and writes whole vectors beyond both ends, so it works on a padded copy.
Error Document::unescape(std::string_view text, std::string_view* out) {
    size_t room = text.size() + 1 + PADDING;
    if (scratch_.size() < 2 * room) scratch_.resize(2 * room);
    uint8_t* source = scratch_.data();
    uint8_t* target = source + room;
    std::memcpy(source, text.data(), text.size());
    std::memset(source + text.size(), '"', 1 + PADDING);
    uint8_t* stop = indexer_->parse_string(source, target, false);
    if (stop == nullptr) return Error::bad_string;
    *out = {reinterpret_cast<const char*>(target), static_cast<size_t>(stop - target)};
    return Error::none;
}

Kind Document::scalar_kind(uint32_t token) const noexcept {
    switch (*at(token)) {
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

std::string_view Document::raw(uint32_t token) const noexcept {
    const char* start = at(token);
    if (*start == '"') return {start, content(start, end()).size() + 2};
    const char* stop = start;
    while (stop != end() && !ends_scalar(*stop)) ++stop;
    return {start, static_cast<size_t>(stop - start)};
}

std::string_view Document::string(uint32_t token) noexcept {
    std::string_view text = content(at(token), end());
    // parse has unescaped it once, so neither the escapes nor the memory can fail now
    if (has_escape(text)) unescape(text, &text);
    return text;
}

Error Document::validate() noexcept {
    for (const Node& node : nodes_) {
        if (node.kind != Kind::run || node.checked) continue;
        for (uint32_t i = 0; i < node.count; ++i) {
            uint32_t token = node.token + 1 + 2 * i;
            char c = first(token);
            if (!starts_number(c)) continue;
            if (!is_valid_number(token)) return fail(Error::bad_number, token);
        }
    }
    return Error::none;
}

void Document::release() noexcept {
    text_ = nullptr;
    if (indexer_ && indexer_->capacity() > KEPT_BYTES) indexer_.reset();
    if (scratch_.capacity() > KEPT_BYTES) std::vector<uint8_t>().swap(scratch_);
    if (nodes_.capacity() * sizeof(Node) > KEPT_BYTES) std::vector<Node>().swap(nodes_);
}

}  // namespace torch_serving
