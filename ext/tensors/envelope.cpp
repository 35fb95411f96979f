#include "tensors/envelope.h"

#include <new>
#include <set>
#include <string>

namespace torch_serving {

namespace {

constexpr std::string_view TYPES[] = {
    "tensor", "tensor_list", "tensor_dict", "generic_dict", "scalar",
    "string", "none",        "named_tuple", "image",        "enum",
};

struct Field {
    std::string_view name;
    Key key;
    NodeId Envelope::* member;
};

constexpr Field FIELDS[] = {
    {"type", TYPE, &Envelope::type},
    {"data_type", DATA_TYPE, &Envelope::data_type},
    {"shape", SHAPE, &Envelope::shape},
    {"value", VALUE, &Envelope::value},
    {"key_type", KEY_TYPE, &Envelope::key_type},
    {"mode", MODE, &Envelope::mode},
    {"layout", LAYOUT, &Envelope::layout},
    {"batch", BATCH, &Envelope::batch},
    {"name", NAME, &Envelope::name},
};

const Field* find_field(std::string_view key) noexcept {
    for (const Field& field : FIELDS) {
        if (field.name == key) return &field;
    }
    return nullptr;
}

Error find_members(Document* document, NodeId id, Envelope* envelope) {
    std::set<std::string> others;  // ordered: keys can be chosen to collide in a hash table
    const Node node = document->node(id);
    NodeId at = node.child;
    for (uint32_t i = 0; i < node.count; ++i) {
        const Node member = document->node(at);
        std::string_view key = document->key(member);
        const Field* field = find_field(key);
        bool seen = field ? envelope->*field->member != ABSENT : !others.emplace(key).second;
        if (seen) return document->fail_at_key(Error::duplicate_key, member);
        if (field) envelope->*field->member = at;
        envelope->keys |= field ? field->key : UNKNOWN_KEY;
        at = member.next;
    }
    return Error::none;
}

}  // namespace

Type find_type(std::string_view name) noexcept {
    int index = 0;
    for (std::string_view type : TYPES) {
        if (type == name) return static_cast<Type>(index);
        ++index;
    }
    return Type::unknown;
}

int find_data_type(std::string_view name) noexcept {
    int index = 0;
    for (const DataType& data_type : DATA_TYPES) {
        if (data_type.name == name) return index;
        ++index;
    }
    return -1;
}

Key find_key(std::string_view key) noexcept {
    const Field* field = find_field(key);
    return field ? field->key : UNKNOWN_KEY;
}

Error read_envelope(Document* document, NodeId id, Envelope* envelope) noexcept {
    *envelope = Envelope{};
    try {
        return find_members(document, id, envelope);
    } catch (const std::bad_alloc&) {
        return Error::out_of_memory;
    }
}

}  // namespace torch_serving
