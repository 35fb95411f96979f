// What can be wrong with a body, and the messages for it.
#pragma once

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

// The message for a client.
const char* message(Error error) noexcept;

}  // namespace torch_serving
