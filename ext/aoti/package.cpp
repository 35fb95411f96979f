#include "aoti/package.h"

#include <dlfcn.h>

#include <algorithm>

#include "aoti/stand_ins.h"

namespace torch_serving {
namespace {

#define CONTAINER "AOTInductorModelContainer"

// How a library reports that a function of torch failed: torch knows why.
constexpr const char* FAILED_IN_TORCH = "API call failed";

template <typename Function>
bool find(void* library, const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(dlsym(library, name));
    return function != nullptr;
}

void remove_all(const TorchFunctions& torch, TensorHandle* tensors, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        TensorHandle tensor = tensors[i];
        if (!tensor) continue;
        std::replace(tensors + i, tensors + count, tensor, TensorHandle{});
        torch.delete_tensor(tensor);
    }
}

// A result that a model returns twice is one tensor, which only one owner can delete.
bool separate(const TorchFunctions& torch, TensorHandle* tensors, std::size_t count) {
    for (std::size_t i = 1; i < count; ++i) {
        if (tensors[i] && std::find(tensors, tensors + i, tensors[i]) != tensors + i) {
            const TensorHandle shared = tensors[i];
            tensors[i] = nullptr;
            if (torch.copy_handle(shared, &tensors[i])) return false;
        }
    }
    return true;
}

}  // namespace

bool is_loaded(const char* path) noexcept {
    void* library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
    if (library) dlclose(library);
    return library != nullptr;
}

// Holds one of the runners.
class Package::Turn {
  public:
    explicit Turn(Package& package) : package_(package) {
        std::unique_lock<std::mutex> guard(package_.lock_);
        package_.idle_.wait(guard, [this] { return package_.idle_runners_ > 0; });
        --package_.idle_runners_;
    }
    ~Turn() {
        {
            const std::lock_guard<std::mutex> guard(package_.lock_);
            ++package_.idle_runners_;
        }
        package_.idle_.notify_one();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

  private:
    Package& package_;
};

Package::~Package() {
    if (container_) functions_.remove(container_);
    if (library_) dlclose(library_);
}

bool Package::load(const char* path) {
    torch_ = torch_functions();
    if (!torch_) {
        problem_ = "this torch has not the functions that packages need";
        return false;
    }
    share_stand_ins();
    library_ = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library_) {
        const char* error = dlerror();
        problem_ = error ? error : "the library can't be loaded";
        return false;
    }
    if (!find_functions()) {
        problem_ = "its library has not the functions of a package";
        return false;
    }
    return true;
}

bool Package::find_functions() {
    Functions& f = functions_;
    find(library_, "AOTInductorGetLastError", f.last_error);
    find(library_, CONTAINER "GetNumConstants", f.count_constants);
    find(library_, CONTAINER "GetConstantDtype", f.constant_dtype);
    find(library_, CONTAINER "GetConstantDataSize", f.constant_bytes);
    find(library_, CONTAINER "GetConstantFromFolded", f.constant_is_folded);
    find(library_, CONTAINER "RunConstantFolding", f.fold_constants);
    return find(library_, CONTAINER "CreateWithDevice", f.create) &&
           find(library_, CONTAINER "Delete", f.remove) && find(library_, CONTAINER "Run", f.run) &&
           find(library_, CONTAINER "GetNumInputs", f.count_inputs) &&
           find(library_, CONTAINER "GetNumOutputs", f.count_outputs) &&
           find(library_, CONTAINER "GetCallSpec", f.call_spec) &&
           find(library_, CONTAINER "GetInputName", f.input_name);
}

bool Package::create(const char* device, std::size_t runners, const char* folder) {
    idle_runners_ = runners;
    if (functions_.create(&container_, runners, device, folder) || !describe()) {
        problem_ = last_error();
        return false;
    }
    return true;
}

bool Package::describe() {
    if (functions_.count_inputs(container_, &inputs_) ||
        functions_.count_outputs(container_, &outputs_) ||
        functions_.call_spec(container_, &input_spec_, &output_spec_)) {
        return false;
    }
    for (std::size_t i = 0; i < inputs_; ++i) {
        const char* name = "";
        if (functions_.input_name(container_, i, &name)) return false;
        input_names_.emplace_back(name);
    }
    return describe_constants();
}

// A first run that fails to fold constants loses its runner, so it is done before.
bool Package::describe_constants() {
    const Functions& f = functions_;
    std::size_t count = 0;
    if (!f.count_constants || !f.constant_dtype || !f.constant_bytes || !f.constant_is_folded) {
        return true;
    }
    if (f.count_constants(container_, &count)) return false;
    bool are_folded = false;
    for (std::size_t i = 0; i < count; ++i) {
        Constant constant{};
        bool is_folded = false;
        if (f.constant_dtype(container_, i, &constant.dtype) ||
            f.constant_bytes(container_, i, &constant.bytes) ||
            f.constant_is_folded(container_, i, &is_folded)) {
            return false;
        }
        constants_.push_back(constant);
        are_folded |= is_folded;
    }
    return !are_folded || !f.fold_constants ||
           !f.fold_constants(container_, false, nullptr, nullptr);
}

bool Package::run(TensorHandle* inputs, TensorHandle* outputs, void* stream, std::string& problem) {
    std::fill(outputs, outputs + outputs_, nullptr);
    int failed;
    {
        const Turn turn(*this);
        failed = functions_.run(container_, inputs, inputs_, outputs, outputs_, stream, nullptr);
    }
    if (!failed && separate(*torch_, outputs, outputs_)) return true;
    problem = failed ? last_error() : "there is no memory for its results";
    remove_all(*torch_, inputs, inputs_);  // those that it had not taken yet
    remove_all(*torch_, outputs, outputs_);
    return false;
}

std::string Package::last_error() const {
    const char* text = nullptr;
    if (functions_.last_error) functions_.last_error(&text);
    std::string found = text ? text : "";
    if ((found.empty() || found.find(FAILED_IN_TORCH) != std::string::npos) && torch_->last_error) {
        const char* reason = torch_->last_error();
        if (reason && *reason) found = reason;
    }
    return found.empty() ? "the model failed without a word" : found;
}

}  // namespace torch_serving
