#include "aoti/torch_functions.h"

#include <dlfcn.h>

namespace torch_serving {
namespace {

constexpr const char* LIBRARY =
#ifdef __APPLE__
    "libtorch_cpu.dylib";
#else
    "libtorch_cpu.so";
#endif

template <typename Function>
bool find(void* library, const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(dlsym(library, name));
    return function != nullptr;
}

bool find_all(TorchFunctions& found) {
    void* library = dlopen(LIBRARY, RTLD_LAZY | RTLD_NOLOAD);  // torch has loaded it
    if (!library) return false;
    find(library, "torch_exception_get_what_without_backtrace", found.last_error);
    return find(library, "aoti_torch_delete_tensor_object", found.delete_tensor) &&
           find(library, "aoti_torch_new_tensor_handle", found.copy_handle) &&
           find(library, "aoti_torch_create_tensor_from_blob", found.tensor_of_memory) &&
           find(library, "aoti_torch_get_data_ptr", found.data) &&
           find(library, "aoti_torch_get_dim", found.rank) &&
           find(library, "aoti_torch_get_sizes", found.shape) &&
           find(library, "aoti_torch_get_strides", found.strides) &&
           find(library, "aoti_torch_get_dtype", found.dtype) &&
           find(library, "aoti_torch_get_device_type", found.device_type);
}

}  // namespace

const TorchFunctions* torch_functions() noexcept {
    static TorchFunctions functions{};
    static const bool are_found = find_all(functions);
    return are_found ? &functions : nullptr;
}

}  // namespace torch_serving
