// Values -> JSON text.
//
// Rules of this file:
// - A float is written with the fewest digits that read back as the same number of the same type,
// always
//   with a point or an exponent, so that readers without a schema see a float; NaN and infinities
//   are the strings "NaN", "Infinity" and "-Infinity".
// - Memory can run out: then the writer says so (`failed`) and writes nothing more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tensors/elements.h"

namespace torch_serving {

constexpr size_t MAX_DIMENSIONS = 64;  // of an array of numpy

class JsonWriter {
  public:
    JsonWriter() noexcept = default;
    ~JsonWriter();
    JsonWriter(const JsonWriter&) = delete;
    JsonWriter& operator=(const JsonWriter&) = delete;

    void write(std::string_view text) noexcept;
    // A JSON string, from valid UTF-8.
    void write_string(std::string_view utf8) noexcept;
    void write_integer(int64_t value) noexcept;
    // Numbers with commas between them, from aligned memory.
    void write_numbers(Element element, const void* data, size_t count) noexcept;
    // Numbers as nested arrays of a shape, row by row, from aligned memory.
    void write_nested(Element element, const void* data, const ptrdiff_t* shape,
                      size_t rank) noexcept;

    const char* data() const noexcept { return data_; }
    size_t size() const noexcept { return size_; }
    bool failed() const noexcept { return failed_; }
    // Forget what was written; memory that only a large text needed is given back.
    void clear() noexcept;

  private:
    // Memory for longer texts is given back after use.
    static constexpr size_t KEPT_BYTES = size_t{8} << 20;

    char* reserve(size_t bytes) noexcept;
    void write_brackets(size_t closed, size_t opened) noexcept;

    char* data_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
    bool failed_ = false;
};

}  // namespace torch_serving
