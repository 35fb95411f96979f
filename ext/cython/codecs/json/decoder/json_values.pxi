# JSON without a schema, for other protocols than `/serve`.

@cython.final
cdef class IndexedBody:
    """A body and its index. Each Value of it keeps it alive."""

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


# Of an object: each member costs a microsecond, and no protocol has so many keys.
cdef uint32_t MAX_NAMES = 1024
cdef Py_ssize_t ELEMENT_BYTES = 256  # of a Value, and of what is made of it
cdef tuple JSON_KINDS = ("null", "boolean", "number", "string", "object", "array", "array")


@cython.final
cdef class Value:
    """A lazily read JSON value. Callers say which type they expect; numbers stay text until then.

    A value of another type raises InvalidInput, IncompatibleShape or IncompatibleDtype.
    """

    cdef IndexedBody body
    cdef ValueRef ref

    @property
    def kind(self):
        """One of null, boolean, number, string, object, array."""
        return JSON_KINDS[<int>self.body.reader.kind(self.ref)]

    def error(self, str problem not None):
        """Build an error that names the location of this value."""
        return self.body.reader.error_at(InvalidInput, self.ref, problem)

    def expect(self, str kind not None, str what not None):
        if self.kind != kind:
            raise self.body.reader.unexpected(self.ref, what)

    @property
    def count(self):
        """The number of elements or members."""
        return self.body.reader.count(self.ref)

    def members(self):
        """The members of an object, by key."""
        self.expect("object", "an object")
        if self.count > MAX_NAMES:
            raise self.error(f"{self.count} members; the limit is {MAX_NAMES}")
        nodes = members_of(self.body.reader, self.ref)
        return {key: value_at(self.body, at(nodes[key])) for key in nodes}

    def elements(self):
        """The elements of an array."""
        self.expect("array", "an array")
        cdef ValueRef element = first_element(self.body.reader, self.ref)
        cdef list values = []
        self.body.reader.take(ELEMENT_BYTES, self.ref)
        for _ in range(self.body.reader.count(self.ref)):
            values.append(value_at(self.body, element))
            element = next_element(self.body.reader, element)
        return values

    def string(self):
        self.expect("string", "a string")
        return self.body.reader.string(self.ref)

    def boolean(self):
        self.expect("boolean", "true or false")
        return quote(&self.body.reader.document, self.ref) == "true"

    def integer(self):
        """A number of 64 bits, written with digits only."""
        cdef Shape scalar
        cdef Reader reader = self.body.reader
        self.expect("number", "an integer")
        if not is_whole(reader, self.ref):
            problem = f"{quote(&reader.document, self.ref)} does not fit int64: it is no integer"
            raise reader.error_at(IncompatibleDtype, self.ref, problem)
        scalar.rank = 0
        scalar.count = 1
        return read_array(self.body.reader, self.ref, scalar, INTEGERS["int64"]).item()

    def shape(self):
        """The dimensions of a tensor: at most 32, none negative, their product below 2^59."""
        cdef Shape shape
        self.expect("array", "an array of non-negative integers")
        located = read_shape(&self.body.reader.document, self.ref.node, &shape)
        raise_located(self.body.reader, located, INTEGERS["int64"])
        return tuple([shape.dims[i] for i in range(shape.rank)])

    def numbers(self, str data_type not None):
        """A number, or nested arrays of numbers, as a new array of their shape.

        bfloat16 is given as its bits, in uint16. Takes NaN and infinities as words and as strings.
        """
        cdef Shape shape
        cdef int index = NAMES.index(data_type)
        raise_located(self.body.reader, measure_at(self.body.reader, self.ref, &shape), index)
        return read_array(self.body.reader, self.ref, shape, index)

    def validate(self):
        """Raise InvalidJson for malformed numbers that were not read."""
        self.body.reader.validate()


cdef Value value_at(IndexedBody body, ValueRef ref):
    cdef Value value = Value.__new__(Value)
    value.body = body
    value.ref = ref
    return value


def read_json(body not None, size_t window_bytes=0):
    """Index a body of UTF-8, in which NaN, Infinity and -Infinity are numbers too.

    Raises EmptyBody or InvalidJson. Its values keep the body alive.
    `window_bytes` is that of Decoder.
    """
    cdef IndexedBody indexed = IndexedBody(body)
    indexed.reader.parse(
        <const char*>indexed.view.buf, <size_t>indexed.view.len, True, window_bytes
    )
    return value_at(indexed, at(0))
