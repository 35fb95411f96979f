# The memory that the bodies of all requests of a worker take together.

cdef Py_ssize_t COUNTED_BYTES = 64 * 1024  # smaller bodies are bounded by the connections, as heads


@cython.final
cdef class BodyRoom:
    """What the body of one request takes of `ConnectionSettings.max_bodies_bytes`.

    It is given back once the request is responded to, or nobody refers to it any more.
    """

    cdef ConnectionSettings settings
    cdef Py_ssize_t taken_bytes

    def __cinit__(self, ConnectionSettings settings not None):
        self.settings = settings

    def take(self, Py_ssize_t size):
        """Take this much in all. Raises Overloaded."""
        cdef ConnectionSettings settings = self.settings
        cdef Py_ssize_t more = size - self.taken_bytes
        if more <= 0:
            return
        if settings.bodies_bytes + more > settings.max_bodies_bytes:
            raise Overloaded("the bodies of other requests take all memory that they may take")
        settings.bodies_bytes += more
        self.taken_bytes = size

    def keep(self, Py_ssize_t size):
        """Give back what is beyond this much."""
        if size < self.taken_bytes:
            self.settings.bodies_bytes -= self.taken_bytes - size
            self.taken_bytes = size

    def __del__(self):
        self.keep(0)
