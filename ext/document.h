// JSON text -> an index of its values. No value is converted here: numbers stay text until somebody
// knows what type they should have (numbers.h).
//
// Rules of this file:
// - The text must outlive the document; nothing beyond its last byte is ever read.
// - `parse` checks the whole document except the numbers inside runs. Whoever reads a run checks
// it;
//   `validate` checks the runs that nobody has read.
// - No Python, no exceptions out of here: every function that can fail returns an Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace simdjson::internal {
class dom_parser_implementation;
}

namespace torch_serving {

enum class Error : int {
    none = 0,
    // the document is not JSON
    empty,
    encoding,
    unclosed_string,
    control_character,
    bad_string,
    bad_literal,
    bad_number,
    expected_value,
    expected_key,
    expected_colon,
    expected_comma_or_end,
    trailing_text,
    duplicate_key,
    // the document is JSON, and more than we take
    too_deep,
    too_many_members,
    too_large,
    out_of_memory,
    // the number is JSON, and not what its type can hold
    not_integer,
    not_number,
    not_boolean,
    out_of_range,
    // the numbers are fine, and their arrangement is not
    ragged,
    not_shape,
    bad_dimension,
    shape_overflow,
    too_many_dimensions,
};

// What to tell a person about it.
const char* message(Error error) noexcept;

enum class Kind : uint8_t {
    null,
    boolean,
    number,
    string,
    object,
    array,  // holds at least one array or object
    run,    // an array of scalars only, or of nothing: elements stand at every second token
};

// A value. The children of an array or object follow it; `next` is the node behind the whole value.
struct Node {
    uint32_t token;  // where it starts, as an index into the document's tokens
    uint32_t count;  // elements or members
    uint32_t next;
    Kind kind;
    bool checked;  // runs only: every number in it is known to be valid
};

// A table, not a comparison: signs come at random, and a branch on them is mispredicted.
struct NumberStarts {
    bool values[256] = {};
    constexpr NumberStarts() noexcept {
        for (int c = '0'; c <= '9'; ++c) values[c] = true;
        values[static_cast<int>('-')] = true;
    }
};
constexpr NumberStarts NUMBER_STARTS;

inline bool starts_number(char c) noexcept {
    return NUMBER_STARTS.values[static_cast<unsigned char>(c)];
}

// Whether one of the words NaN, Infinity and -Infinity stands at `at`.
bool is_non_finite(const char* at, const char* end) noexcept;

// Deeper than any schema in use; bounds the recursion here and in whoever walks the nodes.
constexpr uint32_t MAX_DEPTH = 64;
// Each member costs a node and a key: more than this is no argument list, it is an attack.
constexpr uint32_t MAX_MEMBERS = 100'000;
// Memory for longer texts is given back after use: a large body must not cost memory for ever.
constexpr size_t KEPT_BYTES = size_t{8} << 20;

class Document {
  public:
    Document() noexcept;
    ~Document();
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;

    // Index `text`. On failure `error_offset` is the byte where it went wrong. With `non_finite`,
    // the words NaN, Infinity and -Infinity are numbers too, as Python and its clients write them.
    Error parse(const char* text, size_t length, bool non_finite = false) noexcept;
    // Check every run that nobody has read.
    Error validate() noexcept;
    // Fail at the key of an object's member, given the member's value.
    Error fail_at_key(Error error, uint32_t index) noexcept {
        return fail(error, nodes_[index].token - 2);
    }
    // Forget the text, and give back memory that only a large one needed.
    void release() noexcept;

    const Node& node(uint32_t index) const noexcept { return nodes_[index]; }
    void mark_checked(uint32_t index) noexcept { nodes_[index].checked = true; }
    size_t error_offset() const noexcept { return error_offset_; }

    // Where a token starts: a pointer into the text, and the end of the text.
    const char* at(uint32_t token) const noexcept { return text_ + tokens_[token]; }
    const char* end() const noexcept { return text_ + length_; }
    const uint32_t* tokens() const noexcept { return tokens_; }
    const char* text() const noexcept { return text_; }
    bool takes_non_finite() const noexcept { return non_finite_; }

    // What a scalar is, by its first character.
    Kind scalar_kind(uint32_t token) const noexcept;
    // The text of a number or literal; of a string with its quotes.
    std::string_view raw(uint32_t token) const noexcept;
    // The unescaped content of a string, valid until the next call. The string was checked by
    // parse.
    std::string_view string(uint32_t token) noexcept;
    // The key of an object's member, given the member's value.
    std::string_view key(uint32_t index) noexcept { return string(nodes_[index].token - 2); }

  private:
    Error index_tokens() noexcept;
    Error walk();
    Error walk_value(uint32_t depth);
    Error walk_array(uint32_t depth);
    Error walk_object(uint32_t depth);
    Error walk_run(uint32_t* count);
    Error check_scalar(uint32_t token, Kind* kind);
    Error check_string(uint32_t token);
    bool is_valid_number(uint32_t token) const noexcept;
    Error unescape(std::string_view content, std::string_view* out);
    Error fail(Error error, uint32_t token) noexcept;
    bool opens_too_deep() noexcept;
    void locate_bad_encoding() noexcept;
    void locate_bad_string() noexcept;
    char first(uint32_t token) const noexcept {
        return token < token_count_ ? text_[tokens_[token]] : '\0';
    }

    std::unique_ptr<simdjson::internal::dom_parser_implementation> indexer_;
    std::vector<Node> nodes_;
    std::vector<uint8_t> scratch_;
    const char* text_ = nullptr;
    const uint32_t* tokens_ = nullptr;
    size_t length_ = 0;
    size_t error_offset_ = 0;
    uint32_t token_count_ = 0;
    uint32_t cursor_ = 0;  // the next token
    bool non_finite_ = false;
};

}  // namespace torch_serving
