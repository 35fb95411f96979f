from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp cimport bool
from libcpp.string_view cimport string_view


cdef extern from "document/document.h" namespace "torch_serving" nogil:
    ctypedef uint64_t NodeId

    enum class Error(int):
        none
        bad_number
        duplicate_key
        not_integer
        out_of_memory
        too_deep
        not_number
        ragged
        not_shape
        bad_dimension
        shape_overflow
        too_many_dimensions

    enum class Kind:
        null
        boolean
        number
        string
        object
        array
        run

    cppclass Node:
        Kind kind
        uint32_t token
        uint32_t count
        NodeId child
        NodeId next

    cppclass Nodes:
        @staticmethod
        bool holds(const Node& outer, NodeId id) noexcept

    const char* message(Error error) noexcept

    cppclass Document:
        Document() noexcept
        Error parse(
            const char* text, size_t length, bool non_finite, size_t window_bytes
        ) noexcept
        Error validate() noexcept
        void release() noexcept
        Node node(NodeId id) noexcept
        size_t error_offset() noexcept
        Error fail_at_key(Error error, const Node& member) noexcept
        const char* start(NodeId id, int64_t element) noexcept
        Kind scalar_kind(const char* start) noexcept
        string_view raw(const char* start) noexcept
        string_view string(const char* start) noexcept
        string_view key(const Node& member) noexcept
