# The document that is being read: its index, errors, containers and envelopes.

cdef const char* MARK = b"\xef\xbb\xbf"
cdef size_t HINT_BYTES = 300  # of the text that tell what it is


@cython.final
cdef class Reader:
    """An indexed document, and which argument is being read from it."""

    cdef Document document
    cdef Decoder decoder
    cdef Argument argument
    cdef const char* text
    cdef size_t length
    cdef size_t mark  # bytes of a byte order mark before the text
    cdef int64_t bytes_left  # that the values of containers may still take
    cdef bint plain  # values may stand without envelopes
    cdef bint lacking  # an envelope was missed where a plain value may stand
    cdef bint exact  # `1.0` is no integer
    cdef bint broken  # because of that, an integer was refused
    cdef bint out_of_range  # an integer was refused that is one, but for its size
    cdef uint32_t attempts  # nested unions of which an alternative is being tried
    cdef ValueRef rejected_at  # the value of the latest error

    cdef int parse(
        self, const char* text, size_t length, bint non_finite, size_t window_bytes
    ) except -1:
        cdef Error error
        self.mark = 3 if length >= 3 and memcmp(text, MARK, 3) == 0 else 0
        text += self.mark
        length -= self.mark
        self.text = text
        self.length = length
        self.bytes_left = C_VALUES_BYTES + C_VALUES_PER_BODY * <int64_t>length
        self.plain = False
        self.lacking = False
        self.exact = False
        if length == 0:
            raise EmptyBody(hints.NO_BODY)
        if length < PARSE_WITHOUT_GIL:
            error = self.document.parse(text, length, non_finite, window_bytes)
        else:
            with nogil:
                error = self.document.parse(text, length, non_finite, window_bytes)
        return self.check(error)

    cdef int validate(self) except -1:
        cdef Error error
        if self.length < PARSE_WITHOUT_GIL:
            error = self.document.validate()
        else:
            with nogil:
                error = self.document.validate()
        return self.check(error)

    cdef int release(self) except -1:
        self.document.release()
        self.decoder = None
        self.argument = None
        return 0

    cdef int check(self, Error error) except -1:
        """Raise the error of the document, if there is one."""
        if error == Error.none:
            return 0
        if error == Error.out_of_memory:
            raise MemoryError
        cdef size_t offset = self.document.error_offset()
        hint = hints.of_text(
            self.text[:min(self.length, HINT_BYTES)],
            self.text[offset - min(offset, HINT_BYTES):offset],
            self.text[offset:min(self.length, offset + HINT_BYTES)],
            self.decoder is not None,
        )
        raise InvalidJson(f"byte {self.mark + offset}: {text_of(message(error))}{hint}")

    cdef int take(self, Py_ssize_t size, ValueRef container) except -1:
        """Count what each value of a container takes, before there is any."""
        cdef uint32_t count = self.count(container)
        self.bytes_left -= size * count
        if self.bytes_left < 0:
            raise self.error_at(
                BodyTooLarge, container,
                f"{count} values take more memory than those of one request may; "
                "many numbers take less as one tensor",
            )
        return 0

    cdef object error_at(self, type error, ValueRef ref, str problem):
        """Build an error for a value.

        While alternatives are tried, only its location is recorded: to format a message is slow.
        """
        self.rejected_at = ref
        if self.attempts:
            return error("")
        where = pointer(&self.document, ref) or "the body"
        if self.argument is None:
            return error(f"{where}: {problem}")
        return error(
            f"{where}: {problem} (argument `{self.argument.name}`: {self.argument.spec.type})"
        )

    cdef object unexpected(self, ValueRef ref, str expected):
        cdef Envelope envelope
        if self.kind(ref) == Kind.object:
            self.members(ref, &envelope)  # a duplicate key matters more
        actual = "" if self.attempts else describe(&self.document, ref)
        return self.error_at(InvalidInput, ref, f"expected {expected}, got {actual}")

    cdef Kind kind(self, ValueRef ref) noexcept:
        return kind_of(&self.document, ref)

    cdef uint32_t count(self, ValueRef ref) noexcept:
        """How many elements or members a container has."""
        return self.document.node(ref.node).count

    cdef str string(self, ValueRef ref):
        return text_of(self.document.string(start_of(&self.document, ref)))

    cdef int members(self, ValueRef ref, Envelope* envelope) except -1:
        return self.check(read_envelope(&self.document, ref.node, envelope))

    cdef bint has_type(self, ValueRef ref) except -1:
        """Whether an object has the key that makes it an envelope."""
        cdef Envelope envelope
        self.members(ref, &envelope)
        return envelope.type != ABSENT

    cdef bint is_envelope(self, ValueRef ref, str names, tuple fields=()) except -1:
        """Whether an object in plain JSON is an envelope of one of these types.

        If not, it is the value: one that may have a key `type` as well, as some fields have.
        """
        cdef Envelope envelope
        self.members(ref, &envelope)
        if envelope.type == ABSENT or self.kind(at(envelope.type)) != Kind.string:
            return False
        cdef Type found = self.type_of(envelope)
        if found != Type.unknown and TYPE_NAMES[<int>found] in names:
            return True
        if envelope.value == ABSENT or "type" in fields:
            return False
        return is_container(self.kind(at(envelope.value)))

    cdef Type type_of(self, const Envelope& envelope) noexcept:
        if envelope.type == ABSENT or self.document.node(envelope.type).kind != Kind.string:
            return Type.unknown
        return find_type(self.document.string(self.document.start(envelope.type, -1)))

    cdef Type open(self, ValueRef ref, Envelope* envelope, TypeSpec spec, str names) except *:
        """Read an envelope whose type is one of `names`, and which has a value."""
        cdef Type found
        cdef bint lacking = self.lacking
        self.lacking = True
        if self.kind(ref) != Kind.object:
            raise self.unexpected(ref, f'an envelope {{"type": {names}, ...}} for {spec.type}')
        self.members(ref, envelope)
        if envelope.type == ABSENT:
            raise self.error_at(
                InvalidInput, ref, f"the key `type` is missing; expected {names} for {spec.type}"
            )
        found = self.type_of(envelope[0])
        if found == Type.unknown or TYPE_NAMES[<int>found] not in names:
            raise self.unexpected(at(envelope.type), f"{names} for {spec.type}")
        self.lacking = lacking
        self.check_keys(ref, envelope[0], found)
        if envelope.value == ABSENT:
            raise self.error_at(InvalidInput, ref, "the key `value` is missing")
        return found

    cdef int check_keys(self, ValueRef ref, const Envelope& envelope, Type found) except -1:
        """Refuse the keys that mean nothing in an envelope of this type."""
        cdef uint32_t allowed = ALLOWED_KEYS[<int>found]
        if envelope.keys & ~allowed == 0:
            return 0
        cdef NodeId child = self.document.node(ref.node).child
        while <uint32_t>find_key(self.document.key(self.document.node(child))) & allowed:
            child = self.document.node(child).next
        if self.attempts:
            raise self.error_at(InvalidInput, at(child), "")
        key = start_of_text(self.document.key(self.document.node(child)))
        known = tuple([
            name for name in KEY_NAMES if <uint32_t>find_key(<bytes>name.encode()) & allowed
        ])
        problem = hints.unknown_key(TYPE_NAMES[<int>found].strip('"'), key, known)
        raise self.error_at(InvalidInput, at(child), problem)


# In the order of Type (envelope.h).
cdef tuple TYPE_NAMES = (
    '"tensor"', '"tensor_list"', '"tensor_dict"', '"generic_dict"', '"scalar"', '"string"',
    '"none"', '"named_tuple"', '"image"', '"enum"',
)

cdef tuple KEY_NAMES = (
    "type", "value", "data_type", "shape", "key_type", "mode", "layout", "batch", "name",
)


cdef ValueRef first_element(Reader reader, ValueRef array) noexcept:
    if reader.kind(array) == Kind.run:
        return at(array.node, 0)
    return at(reader.document.node(array.node).child)


cdef ValueRef next_element(Reader reader, ValueRef element) noexcept:
    if element.element >= 0:
        return at(element.node, element.element + 1)
    return at(reader.document.node(element.node).next)


cdef Py_ssize_t MEMBER_BYTES = 128  # of the key, its node and its place in a dictionary


cdef dict members_of(Reader reader, ValueRef ref):
    """The nodes of the members of an object, by key."""
    cdef Node node = reader.document.node(ref.node)
    cdef NodeId child = node.child
    cdef Node member
    cdef dict nodes = {}
    reader.take(MEMBER_BYTES, ref)
    for _ in range(node.count):
        member = reader.document.node(child)
        key = text_of(reader.document.key(member))
        if key in nodes:
            reader.check(reader.document.fail_at_key(Error.duplicate_key, member))
        nodes[key] = child
        child = member.next
    return nodes
