from libc.stdint cimport uint8_t, uint32_t

from document.document cimport Document, Error


cdef extern from "tensors/elements.h" namespace "torch_serving" nogil:
    enum class Element(uint8_t):
        boolean
        uint8
        uint16
        uint32
        uint64
        int8
        int16
        int32
        int64
        float16
        bfloat16
        float32
        float64

    cppclass Reading:
        Error error
        uint32_t index

    Reading read_numbers(
        Document* document, uint32_t first, uint32_t count, Element element, void* out
    ) noexcept
