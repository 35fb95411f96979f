#include "tensor.h"

#include <limits>

namespace torch_serving {

namespace {

constexpr int64_t MAX_ITEM_BYTES = 16;  // complex128
constexpr Place FINE{Error::none, 0, -1};

bool is_nested(Kind kind) noexcept { return kind == Kind::array || kind == Kind::run; }

Place measure_level(const Document& document, uint32_t index, int depth, Shape* shape) noexcept {
    const Node& node = document.node(index);
    if (!is_nested(node.kind)) {
        if (depth != shape->rank) return {Error::ragged, index, -1};
        if (node.kind == Kind::object) return {Error::not_number, index, -1};
        ++shape->count;
        return FINE;
    }
    if (depth >= shape->rank || node.count != shape->dims[depth]) {
        return {Error::ragged, index, -1};
    }
    if (node.kind == Kind::run) {
        if (depth + 1 != shape->rank) return {Error::ragged, index, -1};
        shape->count += node.count;
        return FINE;
    }
    for (uint32_t child = index + 1; child < node.next; child = document.node(child).next) {
        Place place = measure_level(document, child, depth + 1, shape);
        if (place.error != Error::none) return place;
    }
    return FINE;
}

}  // namespace

Place read_shape(const Document& document, uint32_t index, Shape* shape) noexcept {
    const Node& node = document.node(index);
    if (node.kind != Kind::run) return {Error::not_shape, index, -1};
    if (node.count > MAX_RANK) return {Error::too_many_dimensions, index, -1};
    shape->rank = static_cast<int>(node.count);
    Reading reading =
        read_numbers(document, node.token + 1, node.count, Element::int64, shape->dims);
    if (reading.error == Error::bad_number) return {reading.error, index, reading.index};
    if (reading.error != Error::none) return {Error::bad_dimension, index, reading.index};
    bool empty = false;
    int64_t room = std::numeric_limits<int64_t>::max() / MAX_ITEM_BYTES;
    shape->count = 1;
    for (int i = 0; i < shape->rank; ++i) {
        int64_t dim = shape->dims[i];
        if (dim < 0) return {Error::bad_dimension, index, i};
        if (dim == 0) {
            empty = true;
            continue;
        }
        room /= dim;
        if (room == 0) return {Error::shape_overflow, index, i};
        shape->count *= dim;
    }
    if (empty) shape->count = 0;
    return FINE;
}

Place measure(const Document& document, uint32_t index, Shape* shape) noexcept {
    shape->rank = 0;
    shape->count = 0;
    uint32_t first = index;
    while (is_nested(document.node(first).kind)) {
        const Node& node = document.node(first);
        if (shape->rank == MAX_RANK) return {Error::too_many_dimensions, first, -1};
        shape->dims[shape->rank++] = node.count;
        if (node.kind == Kind::run) break;
        ++first;
    }
    return measure_level(document, index, 0, shape);
}

Place read_values(Document* document, uint32_t index, Element element, size_t item_bytes,
                  void* out) noexcept {
    auto* target = static_cast<char*>(out);
    const uint32_t end = document->node(index).next;
    for (uint32_t at = index; at < end; ++at) {  // children follow their parents, in order
        const Node& node = document->node(at);
        if (node.kind == Kind::array) continue;
        const bool run = node.kind == Kind::run;
        const uint32_t count = run ? node.count : 1;
        Reading reading = read_numbers(*document, node.token + run, count, element, target);
        if (reading.error != Error::none) {
            return {reading.error, at, run ? static_cast<int64_t>(reading.index) : -1};
        }
        if (run) document->mark_checked(at);
        target += count * item_bytes;
    }
    return FINE;
}

}  // namespace torch_serving
