#include "windows.h"

#include <vector>

#include "check.h"
#include "expected.h"
#include "tensors/shape.h"

namespace fuzz {

using namespace torch_serving;

namespace {

Document document;
Document windows_of_it;

void compare_scalars(Document* windows, NodeId id, int64_t element) {
    const char* start = document.start(id, element);
    MUST(windows->start(id, element) == start);
    MUST(windows->scalar_kind(start) == document.scalar_kind(start));
    MUST(windows->raw(start) == document.raw(start));
}

void compare_numbers(Document* windows, NodeId id) {
    Shape one, other;
    const Error error = measure(document, id, &one).error;
    MUST(measure(*windows, id, &other).error == error);
    if (error != Error::none) return;
    std::vector<char> numbers(8 * one.count, 0), same(8 * one.count, 0);
    for (Element element : {Element::boolean, Element::int64, Element::float32}) {
        const size_t bytes = fuzz::bytes_of(element);
        const LocatedError result = read_values(&document, id, element, bytes, numbers.data());
        const LocatedError there = read_values(windows, id, element, bytes, same.data());
        MUST(there.error == result.error);
        MUST(result.error == Error::none ||
             (there.node == result.node && there.element == result.element));
        MUST(same == numbers);
    }
}

void compare_below(Document* windows, NodeId id) {
    const Node node = document.node(id);
    const Node same = windows->node(id);
    MUST(same.kind == node.kind && same.token == node.token && same.tokens == node.tokens);
    MUST(same.count == node.count && same.key == node.key);
    MUST(same.child == node.child && same.next == node.next);
    compare_numbers(windows, id);
    if (node.is_member()) MUST(windows->key(same) == document.key(node));
    for (uint32_t i = 0; node.kind == Kind::run && i < node.count; ++i) {
        compare_scalars(windows, id, i);
    }
    if (node.kind == Kind::run) return;
    if (node.count == 0 && node.kind != Kind::object) compare_scalars(windows, id, -1);
    NodeId child = node.child;
    for (uint32_t i = 0; i < node.count; ++i, child = document.node(child).next) {
        compare_below(windows, child);
    }
}

}  // namespace

void compare_windows(std::string_view body, size_t window_bytes) {
    const Error error = document.parse(body.data(), body.size(), true);
    MUST(windows_of_it.parse(body.data(), body.size(), true, window_bytes) == error);
    MUST(windows_of_it.error_offset() == document.error_offset());
    if (error == Error::none) {
        compare_below(&windows_of_it, 0);
        MUST(windows_of_it.validate() == document.validate());
        MUST(windows_of_it.error_offset() == document.error_offset());
    }
    windows_of_it.release();
    document.release();
}

}  // namespace fuzz
