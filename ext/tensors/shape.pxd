from libc.stddef cimport size_t
from libc.stdint cimport int64_t

from document.document cimport Document, Error, NodeId
from tensors.elements cimport Element


cdef extern from "tensors/shape.h" namespace "torch_serving" nogil:
    const int MAX_RANK

    cppclass Shape:
        int64_t[32] dims
        int rank
        int64_t count

    cppclass LocatedError:
        Error error
        NodeId node
        int64_t element

    LocatedError read_shape(Document* document, NodeId node, Shape* shape) noexcept
    LocatedError measure(const Document& document, NodeId node, Shape* shape) noexcept
    LocatedError read_values(
        Document* document, NodeId node, Element element, size_t item_bytes, void* out
    ) noexcept
