from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libcpp cimport bool
from libcpp.string_view cimport string_view


cdef extern from "document.h" namespace "torch_serving" nogil:
    enum class Error(int):
        none
        bad_number
        duplicate_key
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
        uint32_t token
        uint32_t count
        uint32_t next
        Kind kind

    const char* message(Error error) noexcept

    cppclass Document:
        Document() noexcept
        Error parse(const char* text, size_t length, bool non_finite) noexcept
        Error validate() noexcept
        void release() noexcept
        const Node& node(uint32_t index) noexcept
        size_t error_offset() noexcept
        Error fail_at_key(Error error, uint32_t index) noexcept
        Kind scalar_kind(uint32_t token) noexcept
        string_view raw(uint32_t token) noexcept
        string_view string(uint32_t token) noexcept
        string_view key(uint32_t index) noexcept
