#include "tensors/shape.h"

#include <limits>

namespace torch_serving {

namespace {

constexpr int64_t MAX_ITEM_BYTES = 16;  // complex128
constexpr LocatedError FINE{Error::none, 0, -1};

bool is_nested(Kind kind) noexcept { return kind == Kind::array || kind == Kind::run; }

LocatedError measure_level(const Document& document, NodeId id, const Node& node, int depth,
                           Shape* shape) noexcept {
    if (!is_nested(node.kind)) {
        if (depth != shape->rank) return {Error::ragged, id, -1};
        if (node.kind == Kind::object) return {Error::not_number, id, -1};
        ++shape->count;
        return FINE;
    }
    if (depth >= shape->rank || node.count != shape->dims[depth]) {
        return {Error::ragged, id, -1};
    }
    if (node.kind == Kind::run) {
        if (depth + 1 != shape->rank) return {Error::ragged, id, -1};
        shape->count += node.count;
        return FINE;
    }
    NodeId at = node.child;
    for (uint32_t i = 0; i < node.count; ++i) {
        const Node child = document.node(at);
        LocatedError result = measure_level(document, at, child, depth + 1, shape);
        if (result.error != Error::none) return result;
        at = child.next;
    }
    return FINE;
}

// Where numbers go, and as what.
struct Target {
    Element element;
    size_t item_bytes;
    char* at;
};

LocatedError read_run(Document* document, NodeId id, const Node& node, Target* target) noexcept {
    const bool run = node.kind == Kind::run;
    const uint32_t count = run ? node.count : 1;
    Reading reading = read_numbers(document, node.token + run, count, target->element, target->at);
    if (reading.error != Error::none) {
        return {reading.error, id, run ? static_cast<int64_t>(reading.index) : -1};
    }
    if (run) document->mark_checked(id);
    target->at += count * target->item_bytes;
    return FINE;
}

LocatedError read_level(Document* document, NodeId id, const Node& node, Target* target) noexcept {
    if (node.kind != Kind::array) return read_run(document, id, node, target);
    NodeId at = node.child;
    for (uint32_t i = 0; i < node.count; ++i) {
        const Node child = document->node(at);
        const bool leaf = child.kind != Kind::array;
        const LocatedError result =
            leaf ? read_run(document, at, child, target) : read_level(document, at, child, target);
        if (result.error != Error::none) return result;
        at = child.next;
    }
    return FINE;
}

}  // namespace

LocatedError read_shape(Document* document, NodeId id, Shape* shape) noexcept {
    const Node node = document->node(id);
    if (node.kind != Kind::run) return {Error::not_shape, id, -1};
    if (node.count > MAX_RANK) return {Error::too_many_dimensions, id, -1};
    shape->rank = static_cast<int>(node.count);
    Reading reading =
        read_numbers(document, node.token + 1, node.count, Element::dimension, shape->dims);
    if (reading.error == Error::bad_number) return {reading.error, id, reading.index};
    if (reading.error != Error::none) return {Error::bad_dimension, id, reading.index};
    document->mark_checked(id);
    bool empty = false;
    int64_t room = std::numeric_limits<int64_t>::max() / MAX_ITEM_BYTES;
    shape->count = 1;
    for (int i = 0; i < shape->rank; ++i) {
        int64_t dim = shape->dims[i];
        if (dim < 0) return {Error::bad_dimension, id, i};
        if (dim == 0) {
            empty = true;
            continue;
        }
        room /= dim;
        if (room == 0) return {Error::shape_overflow, id, i};
        shape->count *= dim;
    }
    if (empty) shape->count = 0;
    return FINE;
}

LocatedError measure(const Document& document, NodeId id, Shape* shape) noexcept {
    shape->rank = 0;
    shape->count = 0;
    NodeId first = id;
    for (Node node = document.node(first); is_nested(node.kind); node = document.node(first)) {
        if (shape->rank == MAX_RANK) return {Error::too_many_dimensions, first, -1};
        shape->dims[shape->rank++] = node.count;
        if (node.kind == Kind::run) break;
        first = node.child;
    }
    return measure_level(document, id, document.node(id), 0, shape);
}

LocatedError read_values(Document* document, NodeId id, Element element, size_t item_bytes,
                         void* out) noexcept {
    Target target{element, item_bytes, static_cast<char*>(out)};
    return read_level(document, id, document->node(id), &target);
}

}  // namespace torch_serving
