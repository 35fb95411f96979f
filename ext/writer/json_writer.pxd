from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t
from libcpp cimport bool
from libcpp.string_view cimport string_view

from tensors.elements cimport Element


cdef extern from "writer/json_writer.h" namespace "torch_serving" nogil:
    cppclass JsonWriter:
        JsonWriter() noexcept
        void write(string_view text) noexcept
        void write_string(string_view utf8) noexcept
        void write_integer(int64_t value) noexcept
        void write_numbers(Element element, const void* data, size_t count) noexcept
        void write_nested(
            Element element, const void* data, const ptrdiff_t* shape, size_t rank
        ) noexcept
        const char* data() noexcept
        size_t size() noexcept
        bool failed() noexcept
        void clear() noexcept
