// A body -> an index, envelopes, shapes and numbers, in the order in which _decoder.pyx asks for
// them. simdjson's own parser says what the document is, expected.cpp what the numbers are.
#include <simdjson.h>

#include <algorithm>
#include <string>
#include <unordered_set>

#include "check.h"
#include "expected.h"
#include "failing_memory.h"
#include "reading.h"
#include "tensors/envelope.h"
#include "windows.h"

using namespace torch_serving;
namespace dom = simdjson::dom;

namespace {

constexpr size_t SMALL = 64;  // bodies of this length are read without memory, too

Document document;  // one for all bodies, as the readers of _decoder.pyx have
dom::parser parser;

bool is_nested(Kind kind) { return kind == Kind::array || kind == Kind::run; }

void check_failure(Error error) {
    const std::string_view body(document.text(), document.end() - document.text());
    MUST(error != Error::none && document.error_offset() <= body.size());
    if (error != Error::bad_number) return;
    const std::string_view rest = body.substr(document.error_offset());
    MUST(!fuzz::is_json_number(rest.substr(0, rest.find_first_of(" \t\n\r,]}"))));
}

// The index against simdjson's tree.

void compare_scalar(dom::element value, const char* start) {
    const Kind kind = document.scalar_kind(start);
    switch (value.type()) {
        case dom::element_type::STRING:
            MUST(kind == Kind::string && document.string(start) == value.get_string().value());
            break;
        case dom::element_type::BOOL:
            MUST(kind == Kind::boolean);
            MUST(document.raw(start) == (value.get_bool().value() ? "true" : "false"));
            break;
        case dom::element_type::NULL_VALUE:
            MUST(kind == Kind::null && document.raw(start) == "null");
            break;
        default:
            MUST(kind == Kind::number && fuzz::is_json_number(document.raw(start)));
    }
}

void compare(dom::element value, NodeId id);

void compare_array(dom::array array, NodeId id) {
    const Node node = document.node(id);
    NodeId child = node.child;
    uint32_t count = 0;
    for (dom::element element : array) {
        if (node.kind == Kind::run) {
            compare_scalar(element, document.start(id, count));
        } else {
            compare(element, child);
            child = document.node(child).next;
        }
        ++count;
    }
    MUST(is_nested(node.kind) && node.count == count);
}

void compare_object(dom::object object, NodeId id) {
    const Node node = document.node(id);
    NodeId child = node.child;
    uint32_t count = 0;
    for (dom::key_value_pair member : object) {
        MUST(document.key(document.node(child)) == member.key);
        compare(member.value, child);
        child = document.node(child).next;
        ++count;
    }
    MUST(node.kind == Kind::object && node.count == count);
}

void compare(dom::element value, NodeId id) {
    if (value.is_array()) {
        compare_array(value.get_array().value(), id);
    } else if (value.is_object()) {
        compare_object(value.get_object().value(), id);
    } else {
        compare_scalar(value, document.start(id));
    }
}

void check_verdict(std::string_view body, Error error) {
    if (error != Error::none) check_failure(error);
    if (body.substr(0, 3) == "\xEF\xBB\xBF") {  // simdjson skips it
        MUST(error != Error::none);
        return;
    }
    dom::element root;
    switch (parser.parse(body.data(), body.size()).get(root)) {
        case simdjson::SUCCESS:
            if (error == Error::none) {
                compare(root, 0);
            } else {
                MUST(error == Error::too_deep || error == Error::too_many_members);
            }
            break;
        case simdjson::NUMBER_ERROR:
        case simdjson::BIGINT_ERROR:  // also of numbers that only are too large for it
            break;
        default:
            MUST(error != Error::none);
    }
}

// Values, as arguments of all types would be read.

// The way from the root to a node, as errors name it.
void check_pointer(NodeId target) {
    for (NodeId id = 0; id != target;) {
        const Node node = document.node(id);
        NodeId child = node.child;
        for (uint32_t i = 0; !Nodes::holds(document.node(child), target); ++i) {
            MUST(i < node.count);
            child = document.node(child).next;
        }
        if (node.kind == Kind::object) document.key(document.node(child));
        id = child;
    }
}

void check_location(const LocatedError& result) {
    check_pointer(result.node);
    const Node node = document.node(result.node);
    MUST(result.element < 0 || (node.kind == Kind::run && result.element < node.count));
    if (result.error == Error::bad_number) check_failure(document.validate());
}

void read_all_types(NodeId id, size_t count) {
    for (int element = 0; element < fuzz::ELEMENTS; ++element) {
        check_location(fuzz::read_scalars(&document, id, static_cast<Element>(element), count));
    }
}

// Returns the product of the dimensions, the way in which numpy takes memory.
int64_t product(const Shape& shape) {
    int64_t result = 1;
    for (int i = 0; i < shape.rank; ++i) {
        MUST(shape.dims[i] >= 0);
        MUST(!__builtin_mul_overflow(result, shape.dims[i], &result));
    }
    return result;
}

void read_tensor(NodeId id) {
    Shape shape;
    std::fill_n(shape.dims, MAX_RANK, 1);  // what stood there must not matter
    const LocatedError result = measure(document, id, &shape);
    check_location(result);
    if (result.error != Error::none) return;
    MUST(shape.rank <= MAX_RANK && product(shape) == shape.count);
    read_all_types(id, shape.count);
}

Type type_of(const Envelope& envelope) {
    if (document.node(envelope.type).kind != Kind::string) return Type::unknown;
    return find_type(document.string(document.start(envelope.type)));
}

void read_words(const Envelope& envelope) {
    if (envelope.type != ABSENT) type_of(envelope);
    if (envelope.data_type == ABSENT) return;
    if (document.node(envelope.data_type).kind != Kind::string) return;
    const std::string_view name = document.string(document.start(envelope.data_type));
    const int data_type = find_data_type(name);
    MUST(data_type < 0 || DATA_TYPES[data_type].name == name);
}

bool has_duplicate_key(NodeId id) {
    std::unordered_set<std::string> keys;
    const Node node = document.node(id);
    NodeId child = node.child;
    for (uint32_t i = 0; i < node.count; ++i, child = document.node(child).next) {
        if (!keys.emplace(document.key(document.node(child))).second) return true;
    }
    return false;
}

void read_object(NodeId id) {
    Envelope envelope;
    Shape shape;
    const Error error = read_envelope(&document, id, &envelope);
    MUST(error == (has_duplicate_key(id) ? Error::duplicate_key : Error::none));
    if (error != Error::none) return check_failure(error);
    read_words(envelope);
    if (envelope.shape == ABSENT) return;
    const LocatedError result = read_shape(&document, envelope.shape, &shape);
    check_location(result);
    if (result.error == Error::none) MUST(product(shape) == shape.count);
}

// The root, its elements, and all members of objects: those can be arguments, and parts of them.
void read_values_below(NodeId id, bool is_value) {
    const Node node = document.node(id);
    if (is_value) read_tensor(id);
    if (node.kind == Kind::object) read_object(id);
    if (node.kind != Kind::object && node.kind != Kind::array) return;
    const bool values = id == 0 || node.kind == Kind::object;
    NodeId child = node.child;
    for (uint32_t i = 0; i < node.count; ++i, child = document.node(child).next) {
        read_values_below(child, values);
    }
}

// Each allocation fails once: that is reported, and the document is as good as before.
void parse_without_memory(std::string_view body, size_t window_bytes) {
    for (long allocations = 0;; ++allocations) {
        Document fresh;
        Envelope envelope;
        fuzz::allocations_left = allocations;
        Error error = fresh.parse(body.data(), body.size(), false, window_bytes);
        const bool object = error == Error::none && fresh.node(0).kind == Kind::object;
        if (object) error = read_envelope(&fresh, 0, &envelope);
        fuzz::allocations_left = -1;
        if (error != Error::out_of_memory) return;
        MUST(fresh.parse(body.data(), body.size()) != Error::out_of_memory);
    }
}

// NaN and infinities as words make valid what was not, and change nothing that was.
void parse_with_words(std::string_view body, Error without) {
    Error with = document.parse(body.data(), body.size(), true);
    if (with == Error::none) {
        read_values_below(0, true);
        with = document.validate();
    }
    if (without == Error::none) MUST(with == Error::none);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    for (int error = 0; error <= static_cast<int>(Error::too_many_dimensions); ++error) {
        MUST(message(static_cast<Error>(error)) != message(static_cast<Error>(-1)));
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    Error error = document.parse(body.data(), body.size());
    if (error == Error::none) error = document.validate();
    check_verdict(body, error);
    if (document.parse(body.data(), body.size()) == Error::none) {
        read_values_below(0, true);
        MUST(document.validate() == error);
    }
    parse_with_words(body, error);
    document.release();
    if (size <= SMALL) parse_without_memory(body, 0);
    if (size <= SMALL) parse_without_memory(body, 8);
    for (size_t window_bytes : {1, 8, 64, 100}) {
        if (window_bytes < size) fuzz::compare_windows(body, window_bytes);
    }
    return 0;
}
