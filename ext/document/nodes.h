// The values of a document as a sequence of small records, in the order of the text: a byte for a
// scalar or an empty array, two for a short run, four for a small array or object.
//
// Rules of this file:
// - Nothing in a record is absolute but a key's offset, so a record can move while its array or
//   object is still open. Where a value's tokens start is no part of the record: whoever asks
//   brings it along, in the node's name.
// - Records never take much more memory than the text that they are made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace torch_serving {

enum class Kind : uint8_t {
    null,
    boolean,
    number,
    string,
    object,
    array,  // holds at least one array or object
    run,    // an array of scalars only, or of nothing: elements stand at every second token
};

// Which value: the offset of its record, and the token where it starts below that. The root is 0.
using NodeId = uint64_t;

constexpr uint32_t NO_KEY = UINT32_MAX;

struct Node {
    Kind kind;
    bool checked;     // runs only: every number in it is known to be valid
    uint32_t token;   // where it starts
    uint32_t tokens;  // of the whole value
    uint32_t count;   // elements or members
    uint32_t key;     // the byte where a member's key starts; NO_KEY for elements and the root
    NodeId child;     // the first, if there is one
    NodeId next;      // the value behind this one in the same array or object, if there is one

    bool is_member() const noexcept { return key != NO_KEY; }
};

class Nodes {
  public:
    Nodes() noexcept = default;
    ~Nodes();
    Nodes(const Nodes&) = delete;
    Nodes& operator=(const Nodes&) = delete;

    Node at(NodeId id) const noexcept;
    void mark_checked(NodeId id) noexcept {
        uint8_t& flags = bytes_[id >> 32];
        unchecked_ -= (flags & CHECKED) == 0;
        flags |= CHECKED;
    }
    bool all_checked() const noexcept { return unchecked_ == 0; }
    // Whether `id` is the node `outer`, given what that is, or stands below it.
    static bool holds(const Node& outer, NodeId id) noexcept { return id >> 32 < outer.next >> 32; }

    // What follows throws std::bad_alloc where there is no memory.
    void add_scalar(Kind kind, uint32_t key) { begin(kind, key); }
    void add_run(uint32_t count, uint32_t key);
    // An array or object whose children are added until it is closed. Returns the offset of its
    // record.
    uint32_t open(Kind kind, uint32_t key);
    void close(uint32_t record, uint32_t count, uint32_t tokens);

    void clear() noexcept { size_ = unchecked_ = 0; }
    // Get memory for so many bytes, if it can be had: what is not written to costs none, and what
    // grows may be copied.
    void reserve(size_t bytes) noexcept;
    // Give what was reserved and not used back.
    void fit() noexcept { resize(size_ + 1); }
    // Give memory of more than so many bytes back.
    void release(size_t kept) noexcept;

  private:
    // A record: a byte of flags with the kind in the lowest bits, the key of a member, and numbers
    // of one width (the count; of arrays and objects also their tokens and the bytes of their
    // children), none if all are zero.
    static constexpr uint8_t KIND = 7, CHECKED = 8, MEMBER = 16;
    static constexpr int WIDTH = 5;  // its first bit: 0, or 1, 2 and 3 for 1, 2 and 4 bytes
    static constexpr uint32_t MOST_BYTES = 1 + 4 + 3 * 4;

    static uint32_t load(const uint8_t* at, int width) noexcept;  // 2 or 3
    static uint8_t* store(uint8_t* at, int width, uint32_t value) noexcept;
    static int width_of(size_t value) noexcept;
    uint32_t begin(Kind kind, uint32_t key);
    void grow();
    void resize(size_t bytes) noexcept;

    uint8_t* bytes_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
    size_t unchecked_ = 0;  // runs
};

inline uint32_t Nodes::load(const uint8_t* at, int width) noexcept {
    uint32_t value = 0;
    if (width == 2) {
        std::memcpy(&value, at, 2);
    } else {
        std::memcpy(&value, at, 4);
    }
    return value;
}

inline Node Nodes::at(NodeId id) const noexcept {
    const uint8_t* end = bytes_ + (id >> 32);
    const uint8_t flags = *end++;
    const auto kind = static_cast<Kind>(flags & KIND);
    Node node{kind, (flags & CHECKED) != 0, static_cast<uint32_t>(id), 1, 0, NO_KEY, 0, 0};
    if (flags & MEMBER) {
        node.key = load(end, 3);
        end += 4;
    }
    const bool outer = kind == Kind::array || kind == Kind::object;
    uint32_t below = 0;  // bytes of its children
    const int width = flags >> WIDTH;
    if (width == 1) {  // most have this one
        node.count = end[0];
        if (outer) node.tokens = end[1];
        if (outer) below = end[2];
        end += outer ? 3 : 1;
    } else if (width != 0) {
        const int bytes = width == 2 ? 2 : 4;
        node.count = load(end, width);
        if (outer) node.tokens = load(end + bytes, width);
        if (outer) below = load(end + 2 * bytes, width);
        end += outer ? 3 * bytes : bytes;
    } else if (kind >= Kind::object) {
        node.tokens = 2;
    }
    if (kind == Kind::run && node.count > 0) node.tokens = 2 * node.count + 1;
    // behind a value stands a comma, and before the value of a member its key and a colon
    const NodeId offset = static_cast<NodeId>(end - bytes_) << 32;
    node.child = offset | static_cast<uint32_t>(node.token + (kind == Kind::object ? 3 : 1));
    node.next = (offset + (static_cast<NodeId>(below) << 32)) |
                static_cast<uint32_t>(node.token + node.tokens + (node.is_member() ? 3 : 1));
    return node;
}

}  // namespace torch_serving
