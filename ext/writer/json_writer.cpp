#include "writer/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "numerals/number_text.h"

namespace torch_serving {

namespace {

constexpr size_t BATCH = 4096;  // numbers written between two looks at the memory that is left

char* write_word(char* out, std::string_view word) noexcept {
    std::memcpy(out, word.data(), word.size());
    return out + word.size();
}

struct Format {
    char* (*write)(char*, const void*, size_t) noexcept;
    uint8_t item_bytes;
    uint8_t most_characters;  // of one number, with its comma
};

template <class Integer>
constexpr Format WHOLE{write_integers<Integer>, sizeof(Integer), 22};

// In the order of Element.
constexpr Format FORMATS[] = {
    {write_booleans, 1, 6},  WHOLE<uint8_t>,           WHOLE<uint16_t>,
    WHOLE<uint32_t>,         WHOLE<uint64_t>,          WHOLE<int8_t>,
    WHOLE<int16_t>,          WHOLE<int32_t>,           WHOLE<int64_t>,
    {write_float16s, 2, 24}, {write_bfloat16s, 2, 24}, {write_float32s, 4, 24},
    {write_float64s, 8, 26},
};

bool needs_escape(char c) noexcept {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

char* write_escape(char* out, char c) noexcept {
    *out++ = '\\';
    switch (c) {
        case '"':
        case '\\':
            *out++ = c;
            return out;
        case '\n':
            *out++ = 'n';
            return out;
        case '\r':
            *out++ = 'r';
            return out;
        case '\t':
            *out++ = 't';
            return out;
        default:
            constexpr char HEX[] = "0123456789abcdef";
            out = write_word(out, "u00");
            *out++ = HEX[static_cast<unsigned char>(c) >> 4];
            *out++ = HEX[c & 15];
            return out;
    }
}

}  // namespace

JsonWriter::~JsonWriter() { std::free(data_); }

char* JsonWriter::reserve(size_t bytes) noexcept {
    if (failed_) return nullptr;
    size_t needed = size_ + bytes + MOST_OVERHANG;
    if (needed > capacity_) {
        size_t capacity = std::max(needed, capacity_ + capacity_ / 2);
        void* larger = std::realloc(data_, capacity);
        if (larger == nullptr) {
            failed_ = true;
            return nullptr;
        }
        data_ = static_cast<char*>(larger);
        capacity_ = capacity;
    }
    return data_ + size_;
}

void JsonWriter::write(std::string_view text) noexcept {
    char* out = reserve(text.size());
    if (out == nullptr) return;
    std::memcpy(out, text.data(), text.size());
    size_ += text.size();
}

void JsonWriter::write_string(std::string_view utf8) noexcept {
    const auto escapes = std::count_if(utf8.begin(), utf8.end(), needs_escape);
    char* out = reserve(utf8.size() + 2 + 5 * static_cast<size_t>(escapes));
    if (out == nullptr) return;
    char* start = out;
    *out++ = '"';
    if (escapes == 0) {
        out = write_word(out, utf8);
    } else {
        for (char c : utf8) {
            if (needs_escape(c)) {
                out = write_escape(out, c);
            } else {
                *out++ = c;
            }
        }
    }
    *out++ = '"';
    size_ += static_cast<size_t>(out - start);
}

void JsonWriter::write_integer(int64_t value) noexcept {
    char* out = reserve(20);
    if (out != nullptr) size_ += static_cast<size_t>(std::to_chars(out, out + 20, value).ptr - out);
}

void JsonWriter::write_numbers(Element element, const void* data, size_t count) noexcept {
    if (count == 0) return;
    const Format& format = FORMATS[static_cast<size_t>(element)];
    const char* values = static_cast<const char*>(data);
    for (size_t done = 0; done < count; done += BATCH) {
        const size_t batch = std::min(BATCH, count - done);
        char* out = reserve(batch * format.most_characters);
        if (out == nullptr) return;
        char* end = format.write(out, values + done * format.item_bytes, batch);
        size_ += static_cast<size_t>(end - out);
    }
    --size_;  // the last comma
}

void JsonWriter::write_brackets(size_t closed, size_t opened) noexcept {
    char* out = reserve(closed + opened + 1);
    if (out == nullptr) return;
    std::memset(out, ']', closed);
    out += closed;
    if (closed > 0 && opened > 0) *out++ = ',';
    std::memset(out, '[', opened);
    size_ = static_cast<size_t>(out + opened - data_);
}

void JsonWriter::write_nested(Element element, const void* data, const ptrdiff_t* shape,
                              size_t rank) noexcept {
    if (rank == 0) return write_numbers(element, data, 1);
    size_t rows = 1;
    size_t depth =
        0;  // of a row: that of numbers, or that where an empty dimension ends the nesting
    ptrdiff_t left[MAX_DIMENSIONS];  // in each dimension around a row
    for (; depth < rank - 1 && shape[depth] > 0; ++depth) {
        left[depth] = shape[depth];
        rows *= static_cast<size_t>(shape[depth]);
    }
    const size_t columns = static_cast<size_t>(shape[depth]);
    const size_t row_bytes = columns * FORMATS[static_cast<size_t>(element)].item_bytes;
    const char* values = static_cast<const char*>(data);
    write_brackets(0, depth + 1);
    for (size_t row = 0; row < rows; ++row) {
        write_numbers(element, values + row * row_bytes, columns);
        if (row == rows - 1) break;
        size_t ended = 1;
        for (size_t i = depth; --left[--i] == 0; ++ended) left[i] = shape[i];
        write_brackets(ended, ended);
    }
    write_brackets(depth + 1, 0);
}

void JsonWriter::clear() noexcept {
    size_ = 0;
    failed_ = false;
    if (capacity_ > KEPT_BYTES) {
        std::free(data_);
        data_ = nullptr;
        capacity_ = 0;
    }
}

}  // namespace torch_serving
