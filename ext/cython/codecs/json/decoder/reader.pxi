# A document that is being read: its index, its errors, its containers and envelopes.

@cython.final
cdef class Reader:
    """An indexed document, and which argument is being read from it."""

    cdef Document document
    cdef Decoder decoder
    cdef Argument argument
    cdef size_t length
    cdef bint plain  # values may stand without envelopes
    cdef uint32_t trials  # readings of a value in which another one may be meant
    cdef Spot failed  # what was refused last

    cdef int parse(
        self, const char* text, size_t length, bint non_finite, size_t window_bytes
    ) except -1:
        cdef Error error
        self.length = length
        self.plain = False
        if length == 0:
            raise EmptyBody("the request has no body; expected a JSON document")
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
        """Raise what the document says is wrong with itself."""
        if error == Error.none:
            return 0
        if error == Error.out_of_memory:
            raise MemoryError
        raise InvalidJson(f"byte {self.document.error_offset()}: {text_of(message(error))}")

    cdef object refuse(self, type error, Spot spot, str problem):
        """Return an error about a value; of a trial only where it is, since to tell takes long."""
        self.failed = spot
        if self.trials:
            return error("")
        where = pointer(&self.document, spot) or "the body"
        if self.argument is None:
            return error(f"{where}: {problem}")
        return error(
            f"{where}: {problem} (argument `{self.argument.name}`: {self.argument.plan.type})"
        )

    cdef object unexpected(self, Spot spot, str expected):
        cdef Envelope envelope
        if self.kind(spot) == Kind.object:
            self.members(spot, &envelope)  # a key that stands twice matters more
        came = "" if self.trials else describe(&self.document, spot)
        return self.refuse(InvalidInput, spot, f"expected {expected}, got {came}")

    cdef Kind kind(self, Spot spot) noexcept:
        return kind_of(&self.document, spot)

    cdef uint32_t count(self, Spot spot) noexcept:
        """How many elements or members a container has."""
        return self.document.node(spot.node).count

    cdef str string(self, Spot spot):
        return text_of(self.document.string(start_of(&self.document, spot)))

    cdef int members(self, Spot spot, Envelope* envelope) except -1:
        return self.check(read_envelope(&self.document, spot.node, envelope))

    cdef bint has_type(self, Spot spot) except -1:
        """Whether an object says what it is; in the plain form, one that does not is the value."""
        cdef Envelope envelope
        self.members(spot, &envelope)
        return envelope.type != ABSENT

    cdef Type type_of(self, const Envelope& envelope) noexcept:
        if envelope.type == ABSENT or self.document.node(envelope.type).kind != Kind.string:
            return Type.unknown
        return find_type(self.document.string(self.document.start(envelope.type, -1)))

    cdef Type open(self, Spot spot, Envelope* envelope, Plan plan, str names) except *:
        """Read an envelope whose type is one of `names`, and which has a value."""
        cdef Type found
        if self.kind(spot) != Kind.object:
            raise self.unexpected(spot, f'an envelope {{"type": {names}, ...}} for {plan.type}')
        self.members(spot, envelope)
        if envelope.type == ABSENT:
            raise self.refuse(
                InvalidInput, spot, f"the key `type` is missing; expected {names} for {plan.type}"
            )
        found = self.type_of(envelope[0])
        if found == Type.unknown or TYPE_NAMES[<int>found] not in names:
            raise self.unexpected(at(envelope.type), f"{names} for {plan.type}")
        if envelope.value == ABSENT:
            raise self.refuse(InvalidInput, spot, "the key `value` is missing")
        return found


# In the order of Type (envelope.h).
cdef tuple TYPE_NAMES = (
    '"tensor"', '"tensor_list"', '"tensor_dict"', '"generic_dict"', '"scalar"', '"string"',
    '"none"', '"named_tuple"', '"image"', '"enum"',
)


cdef Spot first_element(Reader reader, Spot array) noexcept:
    if reader.kind(array) == Kind.run:
        return at(array.node, 0)
    return at(reader.document.node(array.node).child)


cdef Spot next_element(Reader reader, Spot element) noexcept:
    if element.element >= 0:
        return at(element.node, element.element + 1)
    return at(reader.document.node(element.node).next)


cdef dict members_of(Reader reader, Spot spot):
    """The nodes of the members of an object, by key."""
    cdef Node node = reader.document.node(spot.node)
    cdef NodeId child = node.child
    cdef Node member
    cdef dict nodes = {}
    for _ in range(node.count):
        member = reader.document.node(child)
        key = text_of(reader.document.key(member))
        if key in nodes:
            reader.check(reader.document.fail_at_key(Error.duplicate_key, member))
        nodes[key] = child
        child = member.next
    return nodes
