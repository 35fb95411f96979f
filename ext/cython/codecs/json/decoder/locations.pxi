# Locations of values in the document, and what errors say of them. The latter is slow, and runs for
# errors only.

cdef Py_ssize_t MAX_QUOTE = 60  # characters of the body that an error repeats
cdef Py_ssize_t MAX_POINTER = 300
cdef int MAX_DEPTH = 1000  # beyond that of all values


# A value of the document: a node, or an element of the run that the node is.
cdef struct ValueRef:
    NodeId node
    int64_t element  # -1: the node itself


cdef inline ValueRef at(NodeId node, int64_t element=-1) noexcept:
    cdef ValueRef ref
    ref.node = node
    ref.element = element
    return ref


cdef inline bint is_sequence(Kind kind) noexcept:
    return kind == Kind.array or kind == Kind.run


cdef inline bint is_container(Kind kind) noexcept:
    return kind == Kind.object or is_sequence(kind)


cdef str text_of(string_view text):
    return PyUnicode_DecodeUTF8(text.data(), text.size(), "replace")


cdef str start_of_text(string_view text):
    """As much of a text as an error may repeat."""
    return PyUnicode_DecodeUTF8(
        text.data(), min(text.size(), <size_t>(4 * MAX_POINTER)), "replace"
    )


cdef str list_of(const Shape& shape):
    return str([shape.dims[i] for i in range(shape.rank)])


cdef inline const char* start_of(Document* document, ValueRef ref) noexcept:
    return document.start(ref.node, ref.element)


cdef Kind kind_of(Document* document, ValueRef ref) noexcept:
    if ref.element < 0:
        return document.node(ref.node).kind
    return document.scalar_kind(start_of(document, ref))


cdef str quote(Document* document, ValueRef ref):
    """Return the text of a scalar in the body, cut."""
    raw = document.raw(start_of(document, ref))
    text = PyUnicode_DecodeUTF8(raw.data(), min(raw.size(), <size_t>(4 * MAX_QUOTE)), "replace")
    return text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE]}…"


cdef str describe(Document* document, ValueRef ref):
    """Describe a value in a few words."""
    cdef Kind kind = kind_of(document, ref)
    if kind == Kind.object:
        return "an object"
    if is_sequence(kind):
        count = document.node(ref.node).count
        return f"an array of {count} element{'' if count == 1 else 's'}"
    if kind == Kind.string:
        return f"the string {quote(document, ref)}"
    if kind == Kind.number:
        return f"the number {quote(document, ref)}"
    return quote(document, ref)


cdef NodeId child_towards(Document* document, NodeId node, NodeId below, int64_t* index) noexcept:
    """The child of a node that is or holds another one, and which of its children that is."""
    cdef NodeId child = document.node(node).child
    index[0] = 0
    while not Nodes.holds(document.node(child), below):
        child = document.node(child).next
        index[0] += 1
    return child


cdef int depth_below(Document* document, ValueRef top, ValueRef ref) noexcept:
    """How many levels a value is below one that is or holds it."""
    cdef NodeId node = top.node
    cdef int64_t index
    cdef int depth = 1 if top.element < 0 <= ref.element else 0
    while node != ref.node:
        node = child_towards(document, node, ref.node, &index)
        depth += 1
    return depth


cdef str pointer(Document* document, ValueRef ref):
    """The JSON Pointer (RFC 6901) to a node, or to an element of a run."""
    cdef NodeId node = 0
    cdef NodeId child
    cdef int64_t index
    cdef str path = ""
    while node != ref.node:
        child = child_towards(document, node, ref.node, &index)
        if document.node(node).kind == Kind.object:
            key = start_of_text(document.key(document.node(child)))
            path += "/" + key.replace("~", "~0").replace("/", "~1")
        else:
            path += f"/{index}"
        node = child
    if ref.element >= 0:
        path += f"/{ref.element}"
    return path if len(path) <= MAX_POINTER else f"{path[:MAX_POINTER]}…"
