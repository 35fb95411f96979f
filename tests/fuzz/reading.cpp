#include "reading.h"

#include <memory>
#include <vector>

#include "check.h"
#include "expected.h"
#include "numerals/scalars.h"

namespace fuzz {

using torch_serving::Error;
using torch_serving::Kind;
using torch_serving::Node;
using torch_serving::NodeId;

namespace {

// Whether it is NaN or an infinity as a word, where the document takes those.
bool is_word(const Document& document, std::string_view raw) {
    return document.takes_non_finite() &&
           torch_serving::is_non_finite(raw.data(), raw.data() + raw.size());
}

Expected expected_at(Document* document, const char* start, Element element) {
    const std::string_view word = document->raw(start);
    if (is_word(*document, word)) return expected_bits(element, "\"", word);
    const bool quoted = document->scalar_kind(start) == Kind::string;
    return expected_bits(element, word, quoted ? document->string(start) : "");
}

void check_error(Document* document, const char* start, Error error) {
    const std::string_view raw = document->raw(start);
    const bool number = torch_serving::starts_number(raw[0]) && !is_word(*document, raw);
    MUST((error == Error::bad_number) == (number && !is_json_number(raw)));
    MUST(error == Error::bad_number || error == Error::out_of_range ||
         error == Error::not_integer || error == Error::not_number || error == Error::not_boolean);
}

template <class Visit>
void for_each_scalar(const Document& document, NodeId id, Visit visit) {
    const Node node = document.node(id);
    if (node.kind != Kind::array && node.kind != Kind::run) visit(node.token, id, int64_t{-1});
    NodeId child = node.child;
    for (uint32_t i = 0; i < node.count; ++i) {
        if (node.kind == Kind::run) {
            visit(node.token + 1 + 2 * i, id, int64_t{i});
        } else {
            for_each_scalar(document, child, visit);
            child = document.node(child).next;
        }
    }
}

// Memory for one number of each type, of just its size.
std::vector<std::unique_ptr<char[]>> one_of_each() {
    std::vector<std::unique_ptr<char[]>> memory;
    for (size_t bytes : ITEM_BYTES) memory.push_back(std::make_unique<char[]>(bytes));
    return memory;
}

void read_one(Document* document, uint32_t token, const char* start, Element element,
              const Expected& expected) {
    static const std::vector<std::unique_ptr<char[]>> MEMORY = one_of_each();
    char* memory = MEMORY[static_cast<int>(element)].get();
    const auto reading = torch_serving::read_numbers(document, token, 1, element, memory);
    MUST(expected.readable == (reading.error == Error::none));
    if (expected.readable) {
        MUST(bits_at(element, memory) == expected.bits);
    } else {
        check_error(document, start, reading.error);
    }
}

}  // namespace

LocatedError read_scalars(Document* document, NodeId id, Element element, size_t count) {
    const size_t item_bytes = bytes_of(element);
    const auto memory = std::make_unique<char[]>(count * item_bytes);
    const LocatedError result =
        torch_serving::read_values(document, id, element, item_bytes, memory.get());
    const char* at = memory.get();
    bool all = true;
    for_each_scalar(*document, id, [&](uint32_t token, NodeId node, int64_t i) {
        const char* start = document->start(node, i);
        const Expected expected = expected_at(document, start, element);
        read_one(document, token, start, element, expected);
        if (!all) return;
        all = expected.readable;
        if (all) {
            MUST(bits_at(element, at) == expected.bits);
            at += item_bytes;
        } else {
            MUST(result.node == node && result.element == i);
            check_error(document, start, result.error);
        }
    });
    MUST(all == (result.error == Error::none));
    MUST(!all || at == memory.get() + count * item_bytes);
    return result;
}

}  // namespace fuzz
