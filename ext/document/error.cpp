#include "document/error.h"

namespace torch_serving {

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

}  // namespace torch_serving
