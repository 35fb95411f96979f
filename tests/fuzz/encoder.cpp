// Any bits as numbers of any element type, any shape and any string -> text, which must be the one
// that is expected, and which the decoder must read as the same bits.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "expected.h"
#include "failing_memory.h"
#include "tensors/shape.h"
#include "writer/json_writer.h"

using namespace torch_serving;

namespace {

constexpr size_t MANY = 4200;  // more than are written between two looks at the memory

Document document;

std::string_view written(const JsonWriter& writer) { return {writer.data(), writer.size()}; }

// What a value must be written as, and what that must be read as: a boolean is 0 or 1, and there is
// one NaN.
struct Item {
    std::string text;
    uint64_t bits;
};

Item item_of(Element element, const char* memory) {
    const std::string text = fuzz::expected_text(element, fuzz::bits_at(element, memory));
    const std::string content = text.substr(1, text.size() - 2);
    return {text, fuzz::expected_bits(element, text, content).bits};
}

void check_text(std::string_view text, const std::vector<Item>& items, size_t count) {
    std::string expected;
    for (size_t i = 0; i < count; ++i) expected += items[i % items.size()].text + ",";
    if (count > 0) expected.pop_back();
    MUST(text == expected);
}

void check_decoded(Element element, std::string_view text, const std::vector<Item>& items,
                   size_t count) {
    const std::string body = "[" + std::string(text) + "]";
    const size_t item_bytes = fuzz::bytes_of(element);
    const auto read = std::make_unique<char[]>(count * item_bytes);
    MUST(document.parse(body.data(), body.size()) == Error::none);
    MUST(document.node(0).kind == Kind::run && document.node(0).count == count);
    MUST(read_values(&document, 0, element, item_bytes, read.get()).error == Error::none);
    for (size_t i = 0; i < count; ++i) {
        MUST(fuzz::bits_at(element, read.get() + i * item_bytes) == items[i % items.size()].bits);
    }
    document.release();
}

// Where memory runs out, that is reported, nothing more is written, and the writer can be used
// again.
void write_without_memory(JsonWriter* writer, Element element, const char* memory, size_t count) {
    fuzz::allocations_left = 0;
    writer->write_numbers(element, memory, count);
    fuzz::allocations_left = -1;
    MUST(writer->failed() == (count > 0) && writer->size() == 0);
    writer->write("more");
    writer->write_string("more");
    writer->write_integer(1);
    MUST(writer->size() == (count > 0 ? 0 : 11));
    writer->clear();
}

void write_numbers(Element element, const std::string& bytes, bool many) {
    const size_t item_bytes = fuzz::bytes_of(element);
    std::vector<Item> items;
    for (size_t at = 0; at + item_bytes <= bytes.size(); at += item_bytes) {
        items.push_back(item_of(element, bytes.data() + at));
    }
    const size_t count = many && !items.empty() ? std::max(MANY, items.size()) : items.size();
    const auto memory = std::make_unique<char[]>(count * item_bytes);
    for (size_t i = 0; i < count; ++i) {
        bytes.copy(memory.get() + i * item_bytes, item_bytes, i % items.size() * item_bytes);
    }
    JsonWriter writer;  // a new one, so that its memory is no larger than it asks for
    write_without_memory(&writer, element, memory.get(), count);
    writer.write_numbers(element, memory.get(), count);
    MUST(!writer.failed());
    check_text(written(writer), items, count);
    check_decoded(element, written(writer), items, count);
}

// The items as nested arrays of a shape, from the innermost dimension outwards.
std::string expected_nested(std::vector<std::string> texts, const std::vector<ptrdiff_t>& shape) {
    for (size_t i = shape.size(); i-- > 0;) {
        ptrdiff_t count = 1;
        for (size_t outer = 0; outer < i; ++outer) count *= shape[outer];
        std::vector<std::string> arrays;
        for (ptrdiff_t array = 0; array < count; ++array) {
            std::string text;
            for (ptrdiff_t item = 0; item < shape[i]; ++item) {
                text += (item > 0 ? "," : "") + texts[array * shape[i] + item];
            }
            arrays.push_back("[" + text + "]");
        }
        texts = arrays;
    }
    return texts[0];
}

void write_nested(FuzzedDataProvider* input) {
    const auto element = static_cast<Element>(input->ConsumeIntegralInRange(0, fuzz::ELEMENTS - 1));
    std::vector<ptrdiff_t> shape(input->ConsumeIntegralInRange(0, 5));
    size_t count = 1;
    for (ptrdiff_t& dim : shape) count *= dim = input->ConsumeIntegralInRange(0, 4);
    const size_t item_bytes = fuzz::bytes_of(element);
    const auto memory = std::make_unique<char[]>(count * item_bytes);
    input->ConsumeData(memory.get(), count * item_bytes);
    std::vector<std::string> texts;
    for (size_t i = 0; i < count; ++i) {
        texts.push_back(item_of(element, memory.get() + i * item_bytes).text);
    }
    JsonWriter writer;
    fuzz::allocations_left = 0;
    writer.write_nested(element, memory.get(), shape.data(), shape.size());
    fuzz::allocations_left = -1;
    MUST(writer.failed() && writer.size() == 0);
    writer.clear();
    writer.write_nested(element, memory.get(), shape.data(), shape.size());
    MUST(!writer.failed() && written(writer) == expected_nested(texts, shape));
}

void write_shape(FuzzedDataProvider* input) {
    JsonWriter writer;
    std::string expected;
    const int rank = input->ConsumeIntegralInRange(0, MAX_RANK);
    for (int i = 0; i < rank; ++i) {
        const auto dim = input->ConsumeIntegral<int64_t>();
        writer.write(i > 0 ? "," : "");
        writer.write_integer(dim);
        expected += (i > 0 ? "," : "") + std::to_string(dim);
    }
    MUST(written(writer) == expected);
}

// Whatever the bytes are, they are written; valid UTF-8 reads back.
void write_string(const std::string& bytes) {
    JsonWriter writer;
    writer.write_string(bytes);
    const std::string body(written(writer));
    const Error error = document.parse(body.data(), body.size());
    MUST(error == Error::none || error == Error::encoding);
    MUST(error != Error::none || document.string(document.start(0)) == bytes);
    MUST(!writer.failed());
    document.release();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    const auto what = input.ConsumeIntegralInRange(0, fuzz::ELEMENTS + 2);
    if (what == fuzz::ELEMENTS) {
        write_shape(&input);
    } else if (what > fuzz::ELEMENTS + 1) {
        write_nested(&input);
    } else if (what > fuzz::ELEMENTS) {
        write_string(input.ConsumeRemainingBytesAsString());
    } else {
        const bool many = input.ConsumeIntegral<uint8_t>() == 'm';
        write_numbers(static_cast<Element>(what), input.ConsumeRemainingBytesAsString(), many);
    }
    return 0;
}
