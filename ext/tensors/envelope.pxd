from libc.stdint cimport uint8_t, uint32_t
from libcpp.string_view cimport string_view

from document.document cimport Document, Error, NodeId
from tensors.elements cimport Element


cdef extern from "tensors/envelope.h" namespace "torch_serving" nogil:
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
    const NodeId ABSENT

    cppclass Envelope:
        NodeId type
        NodeId data_type
        NodeId shape
        NodeId value
        NodeId key_type
        NodeId mode
        NodeId layout
        NodeId batch
        uint32_t keys

    enum Key:
        UNKNOWN_KEY

    const uint32_t[10] ALLOWED_KEYS

    Type find_type(string_view name) noexcept
    int find_data_type(string_view name) noexcept
    Key find_key(string_view key) noexcept
    Error read_envelope(Document* document, NodeId id, Envelope* envelope) noexcept
