// torch's stable C functions on tensors, found in the process: this is not built against torch.
#pragma once

#include <cstdint>

namespace torch_serving {

struct Tensor;  // torch's; nothing here looks into it
using TensorHandle = Tensor*;

// Those that return a number return 0 unless they failed.
struct TorchFunctions {
    int (*delete_tensor)(TensorHandle);
    int (*copy_handle)(TensorHandle, TensorHandle*);
    int (*tensor_of_memory)(void* data, std::int64_t rank, const std::int64_t* shape,
                            const std::int64_t* strides, std::int64_t offset, std::int32_t dtype,
                            std::int32_t device_type, std::int32_t device_index, TensorHandle*);
    int (*data)(TensorHandle, void**);
    int (*rank)(TensorHandle, std::int64_t*);
    int (*shape)(TensorHandle, std::int64_t**);
    int (*strides)(TensorHandle, std::int64_t**);
    int (*dtype)(TensorHandle, std::int32_t*);
    int (*device_type)(TensorHandle, std::int32_t*);
    const char* (*last_error)();  // of this thread; nullptr: this torch has no such function
};

// nullptr: torch is not loaded, or lacks one of them.
const TorchFunctions* torch_functions() noexcept;

}  // namespace torch_serving
