# What stands for the transport of a connection that is closed.

@cython.final
cdef class ClosedTransport:
    def is_closing(self):
        return True


cdef ClosedTransport CLOSED = ClosedTransport()
