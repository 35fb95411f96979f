from libc.stdint cimport uint8_t, uint32_t
from libcpp.string_view cimport string_view

from document cimport Document, Error
from numbers cimport Element


cdef extern from "envelope.h" namespace "torch_serving" nogil:
    enum class Type(int):
        unknown
        tensor
        tensor_list
        tensor_dict
        generic_dict
        scalar
        string
        none
        named_tuple
        image
        enumeration

    cppclass DataType:
        string_view name
        Element element
        uint8_t components

    const DataType[15] DATA_TYPES
    const uint32_t ABSENT

    cppclass Envelope:
        uint32_t type
        uint32_t data_type
        uint32_t shape
        uint32_t value
        uint32_t key_type
        uint32_t mode
        uint32_t layout
        uint32_t batch

    Type find_type(string_view name) noexcept
    int find_data_type(string_view name) noexcept
    Error read_envelope(Document* document, uint32_t index, Envelope* envelope) noexcept
