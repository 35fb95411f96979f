// The least that reading a tensor can cost: simdjson walks the body, and the numbers go into a
// float array.
#include <simdjson.h>

#include <cstddef>

// Returns how many numbers were read. `text` needs simdjson's padding behind its `length` bytes.
extern "C" size_t read_floats(const char* text, size_t length, float* out) {
    static simdjson::ondemand::parser parser;
    simdjson::padded_string_view json(text, length, length + simdjson::SIMDJSON_PADDING);
    simdjson::ondemand::document document = parser.iterate(json);
    size_t count = 0;
    for (auto tensor : document.get_array()) {
        for (auto number : tensor["value"].get_array()) {
            out[count++] = static_cast<float>(double(number));
        }
    }
    return count;
}
