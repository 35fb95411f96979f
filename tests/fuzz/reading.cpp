#include "reading.h"

#include <memory>
#include <vector>

#include "check.h"
#include "expected.h"

namespace fuzz {

using torch_serving::Error;
using torch_serving::Kind;
using torch_serving::Node;

namespace {

// Whether it is NaN or an infinity as a word, where the document takes those.
bool is_word(const Document& document, std::string_view raw) {
    return document.takes_non_finite() &&
           torch_serving::is_non_finite(raw.data(), raw.data() + raw.size());
}

Expected expected_at(Document* document, uint32_t token, Element element) {
    const std::string_view word = document->raw(token);
    if (is_word(*document, word)) return expected_bits(element, "\"", word);
    const bool quoted = document->scalar_kind(token) == Kind::string;
    return expected_bits(element, document->raw(token), quoted ? document->string(token) : "");
}

void check_error(Document* document, uint32_t token, Error error) {
    const std::string_view raw = document->raw(token);
    const bool number = torch_serving::starts_number(raw[0]) && !is_word(*document, raw);
    MUST((error == Error::bad_number) == (number && !is_json_number(raw)));
    MUST(error == Error::bad_number || error == Error::out_of_range ||
         error == Error::not_integer || error == Error::not_number || error == Error::not_boolean);
}

template <class Visit>
void for_each_scalar(const Document& document, uint32_t index, Visit visit) {
    for (uint32_t at = index; at < document.node(index).next; ++at) {
        const Node& node = document.node(at);
        if (node.kind != Kind::array && node.kind != Kind::run) visit(node.token, at, int64_t{-1});
        for (uint32_t i = 0; node.kind == Kind::run && i < node.count; ++i) {
            visit(node.token + 1 + 2 * i, at, int64_t{i});
        }
    }
}

// Memory for one number of each type, of just its size.
std::vector<std::unique_ptr<char[]>> one_of_each() {
    std::vector<std::unique_ptr<char[]>> memory;
    for (size_t bytes : ITEM_BYTES) memory.push_back(std::make_unique<char[]>(bytes));
    return memory;
}

void read_one(Document* document, uint32_t token, Element element, const Expected& expected) {
    static const std::vector<std::unique_ptr<char[]>> MEMORY = one_of_each();
    char* memory = MEMORY[static_cast<int>(element)].get();
    const auto reading = torch_serving::read_numbers(*document, token, 1, element, memory);
    MUST(expected.readable == (reading.error == Error::none));
    if (expected.readable) {
        MUST(bits_at(element, memory) == expected.bits);
    } else {
        check_error(document, token, reading.error);
    }
}

}  // namespace

Place read_scalars(Document* document, uint32_t index, Element element, size_t count) {
    const size_t item_bytes = bytes_of(element);
    const auto memory = std::make_unique<char[]>(count * item_bytes);
    const Place place =
        torch_serving::read_values(document, index, element, item_bytes, memory.get());
    const char* at = memory.get();
    bool all = true;
    for_each_scalar(*document, index, [&](uint32_t token, uint32_t node, int64_t i) {
        const Expected expected = expected_at(document, token, element);
        read_one(document, token, element, expected);
        if (!all) return;
        all = expected.readable;
        if (all) {
            MUST(bits_at(element, at) == expected.bits);
            at += item_bytes;
        } else {
            MUST(place.node == node && place.element == i);
            check_error(document, token, place.error);
        }
    });
    MUST(all == (place.error == Error::none));
    MUST(!all || at == memory.get() + count * item_bytes);
    return place;
}

}  // namespace fuzz
