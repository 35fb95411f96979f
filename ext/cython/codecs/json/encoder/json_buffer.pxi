# JSON text that grows.

@cython.final
cdef class JsonBuffer:
    """The text of a result, and the path to the value in it that is being written."""

    cdef JsonWriter writer
    cdef Encoder encoder
    cdef bint plain  # without envelopes
    cdef list path

    def __cinit__(self):
        self.path = []

    cdef int release(self) except -1:
        self.writer.clear()
        self.encoder = None
        self.path.clear()
        return 0

    cdef int write(self, bytes text) except -1:
        self.writer.write(string_view(<const char*>text, len(text)))
        return 0

    cdef int write_string(self, str value) except -1:
        cdef Py_ssize_t size
        cdef const char* utf8
        try:
            utf8 = PyUnicode_AsUTF8AndSize(value, &size)
        except UnicodeEncodeError:
            raise self.unsupported("a string is not valid Unicode") from None
        self.writer.write_string(string_view(utf8, size))
        return 0

    cdef int64_t int64(self, value) except? -1:
        try:
            return value
        except OverflowError:
            raise self.unsupported("an integer does not fit 64 bits") from None

    cdef object unsupported(self, str problem):
        where = "".join([f"[{part!r}]"[:80] for part in self.path[:MAX_PATH]])
        return UnsupportedResult(f"result{where}: {problem}")

    cdef object not_plain(self, str what):
        problem = self.unsupported(f"{what} has no plain form; ask without `plain`")
        return NotAcceptable(problem.detail)
