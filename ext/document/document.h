// JSON text -> an index of its values. No value is converted here: numbers stay text until their
// type is known (tensors/elements.h).
//
// Rules of this file:
// - The text must outlive the document; nothing beyond its last byte is ever read.
// - `parse` checks the whole document except the numbers inside runs. Readers of a run check it;
//   `validate` checks the runs that were not read.
// - No Python, no exceptions out of here: every function that can fail returns an Error.
// - Keys, and scalars that are members, are found without tokens, since objects are read in any
//   order and more than once: a body could have that go to and fro between two windows of tokens
//   (tokens.h).
//   All else that is looked at once it is parsed, numbers and the elements of arrays, is read in
//   the order of the text, so each window is indexed about once more, and once for each attempt to
//   read a value as something else, of which a schema has few.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "document/error.h"
#include "document/nodes.h"
#include "document/tokens.h"

namespace torch_serving {

// Each member costs a node and a key: more than this is no argument list, it is an attack.
constexpr uint32_t MAX_MEMBERS = 100'000;

class Document {
  public:
    // Index `text`. On failure `error_offset` is the byte where it went wrong. With `non_finite`,
    // the words NaN, Infinity and -Infinity are numbers too, as Python and its clients write them.
    // `window_bytes` is how much of it is indexed at a time, 0 for what is best.
    Error parse(const char* text, size_t length, bool non_finite = false,
                size_t window_bytes = 0) noexcept;
    // Check every run that was not read.
    Error validate() noexcept;
    // Fail at the key of an object's member.
    Error fail_at_key(Error error, const Node& member) noexcept {
        error_offset_ = member.key;
        return error;
    }
    // Forget the text, and give back memory that only a large one needed.
    void release() noexcept;

    Node node(NodeId id) const noexcept { return nodes_.at(id); }
    void mark_checked(NodeId id) noexcept { nodes_.mark_checked(id); }
    size_t error_offset() const noexcept { return error_offset_; }

    const char* text() const noexcept { return tokens_.text(); }
    const char* end() const noexcept { return tokens_.end(); }
    bool takes_non_finite() const noexcept { return non_finite_; }
    // A token, and those behind it that can be had at once.
    Span tokens_from(uint32_t token) noexcept { return tokens_.from(token); }

    // Where a value starts, or an element of a run that it is, if `element` is not -1.
    const char* start(NodeId id, int64_t element = -1) noexcept;
    // What a scalar is, by its first character.
    Kind scalar_kind(const char* start) const noexcept;
    // The text of a number or literal; of a string with its quotes.
    std::string_view raw(const char* start) const noexcept;
    // The unescaped content of a string, valid until the next call. The string was checked by
    // parse.
    std::string_view string(const char* start) noexcept;
    std::string_view key(const Node& member) noexcept { return string(text() + member.key); }

  private:
    // Memory for longer texts is given back after use: a large body must not cost memory for ever.
    static constexpr size_t KEPT_BYTES = size_t{8} << 20;

    Error walk();
    Error walk_value(uint32_t depth, uint32_t key);
    Error walk_array(uint32_t depth, uint32_t key);
    Error walk_object(uint32_t depth, uint32_t key);
    Error walk_member(uint32_t depth);
    uint32_t walk_numbers() noexcept;
    Error walk_run(uint32_t* count);
    Error check_scalar(uint32_t token, Kind* kind);
    Error check_string(const char* start);
    Error validate_below(const Node& node) noexcept;
    Error validate_run(const Node& run) noexcept;
    bool is_valid_number(const char* start) const noexcept;
    Error unescape(std::string_view content, std::string_view* out);
    Error fail(Error error, uint32_t token) noexcept;

    Tokens tokens_;
    Nodes nodes_;
    std::vector<uint8_t> scratch_;
    size_t error_offset_ = 0;
    uint32_t cursor_ = 0;  // the next token
    bool non_finite_ = false;
};

}  // namespace torch_serving
