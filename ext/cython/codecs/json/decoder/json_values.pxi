# JSON without a schema, for the reader of another protocol.

@cython.final
cdef class Text:
    """A body and its index, for as long as anybody holds a value of it."""

    cdef Reader reader
    cdef Py_buffer view
    cdef bint held

    def __cinit__(self, body not None):
        self.reader = Reader()
        PyObject_GetBuffer(body, &self.view, PyBUF_SIMPLE)
        self.held = True

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


# Of an object that is read as a Value: a protocol's words, each of which costs a microsecond.
cdef uint32_t MAX_NAMES = 1024
cdef tuple KINDS = ("null", "boolean", "number", "string", "object", "array", "array")


@cython.final
cdef class Value:
    """A JSON value that is read once it is known what it must be, where no schema tells: the reader
    of another protocol walks the values, and numbers stay text until it knows their type.

    What is not what was asked for raises InvalidInput, IncompatibleShape or IncompatibleDtype.
    """

    cdef Text text
    cdef Spot spot

    @property
    def kind(self):
        """One of null, boolean, number, string, object, array."""
        return KINDS[<int>self.text.reader.kind(self.spot)]

    def refuse(self, str problem not None):
        """Return an error about this value."""
        return self.text.reader.refuse(InvalidInput, self.spot, problem)

    def expect(self, str kind not None, str what not None):
        if self.kind != kind:
            raise self.text.reader.unexpected(self.spot, what)

    @property
    def count(self):
        """How many elements or members it has."""
        return self.text.reader.count(self.spot)

    def members(self):
        """The members of an object, by key."""
        self.expect("object", "an object")
        if self.count > MAX_NAMES:
            raise self.refuse(f"{self.count} members; the limit is {MAX_NAMES}")
        nodes = members_of(self.text.reader, self.spot)
        return {key: value_at(self.text, at(nodes[key])) for key in nodes}

    def elements(self):
        """The elements of an array."""
        self.expect("array", "an array")
        cdef Spot element = first_element(self.text.reader, self.spot)
        cdef list values = []
        for _ in range(self.text.reader.count(self.spot)):
            values.append(value_at(self.text, element))
            element = next_element(self.text.reader, element)
        return values

    def string(self):
        self.expect("string", "a string")
        return self.text.reader.string(self.spot)

    def boolean(self):
        self.expect("boolean", "true or false")
        return quote(&self.text.reader.document, self.spot) == "true"

    def integer(self):
        """A number of 64 bits."""
        cdef Shape scalar
        self.expect("number", "an integer")
        scalar.rank = 0
        scalar.count = 1
        return read_array(self.text.reader, self.spot, scalar, INTEGERS["int64"]).item()

    def shape(self):
        """The dimensions of a tensor: at most 32, none negative, their product below 2^59."""
        cdef Shape shape
        self.expect("array", "an array of non-negative integers")
        place = read_shape(&self.text.reader.document, self.spot.node, &shape)
        raise_place(self.text.reader, place, INTEGERS["int64"])
        return tuple([shape.dims[i] for i in range(shape.rank)])

    def numbers(self, str data_type not None):
        """A number, or nested arrays of numbers, as a new array of their shape.

        bfloat16 is given as its bits, in uint16. Takes NaN and infinities as words and as strings.
        """
        cdef Shape shape
        cdef int index = NAMES.index(data_type)
        raise_place(self.text.reader, measure_at(self.text.reader, self.spot, &shape), index)
        return read_array(self.text.reader, self.spot, shape, index)

    def validate(self):
        """Raise InvalidJson for numbers that nobody has read and that are none."""
        self.text.reader.validate()


cdef Value value_at(Text text, Spot spot):
    cdef Value value = Value.__new__(Value)
    value.text = text
    value.spot = spot
    return value


def read_json(body not None, size_t window_bytes=0):
    """The value that a body of UTF-8 holds, of which NaN, Infinity and -Infinity may be part.

    Raises EmptyBody or InvalidJson. The body is held as long as any value of it.
    `window_bytes` is that of Decoder.
    """
    cdef Text text = Text(body)
    text.reader.parse(<const char*>text.view.buf, <size_t>text.view.len, True, window_bytes)
    return value_at(text, at(0))
