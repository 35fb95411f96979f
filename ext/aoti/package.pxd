from libc.stdint cimport int32_t
from libcpp cimport bool
from libcpp.string cimport string
from libcpp.vector cimport vector


cdef extern from "aoti/torch_functions.h" namespace "torch_serving" nogil:
    struct Tensor:
        pass

    ctypedef Tensor* TensorHandle


cdef extern from "aoti/package.h" namespace "torch_serving" nogil:
    bool is_loaded(const char* path) noexcept

    struct Constant:
        int32_t dtype
        size_t bytes

    cdef cppclass CPackage "torch_serving::Package":
        CPackage() except +
        bool load(const char* path) except +
        bool create(const char* device, size_t runners, const char* folder) except +
        size_t inputs()
        size_t outputs()
        const char* input_spec()
        const char* output_spec()
        vector[string] input_names()
        vector[Constant] constants()
        const string& problem()
        bool run(
            TensorHandle* inputs, TensorHandle* outputs, void* stream, string& problem
        ) except +
