from libc.stdint cimport int32_t, int64_t
from libcpp cimport bool
from libcpp.string cimport string
from libcpp.vector cimport vector


cdef extern from "aoti/torch_functions.h" namespace "torch_serving" nogil:
    struct Tensor:
        pass

    ctypedef Tensor* TensorHandle

    struct TorchFunctions:
        int (*delete_tensor)(TensorHandle) noexcept
        int (*tensor_of_memory)(
            void* data, int64_t rank, const int64_t* shape, const int64_t* strides,
            int64_t offset, int32_t dtype, int32_t device_type, int32_t device_index,
            TensorHandle* made,
        ) noexcept
        int (*data)(TensorHandle, void**) noexcept
        int (*rank)(TensorHandle, int64_t*) noexcept
        int (*shape)(TensorHandle, int64_t**) noexcept
        int (*strides)(TensorHandle, int64_t**) noexcept
        int (*dtype)(TensorHandle, int32_t*) noexcept
        int (*device_type)(TensorHandle, int32_t*) noexcept

    const TorchFunctions* torch_functions() noexcept


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
