// A model that AOTInductor compiled: a library with functions of a stable C interface.
//
// Rules:
// 1. A run takes its inputs: whatever becomes of it, the caller has none of them afterwards.
// 2. The outputs of a run are the caller's. They may share memory with its inputs.
// 3. No more runs are inside the library than it has runners: one that has to wait there, and whose
//    turn fails, would wait for ever.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "aoti/torch_functions.h"

namespace torch_serving {

struct Container;  // the library's

// Whether a library with this path is loaded.
bool is_loaded(const char* path) noexcept;

struct Constant {
    std::int32_t dtype;
    std::size_t bytes;
};

// Safe to use from any thread once it is created.
class Package {
  public:
    Package() = default;
    ~Package();
    Package(const Package&) = delete;
    Package& operator=(const Package&) = delete;

    // Loads the library at a path, which no other library may have. False: see `problem`.
    bool load(const char* path);
    // Makes the model, of which `runners` may run at once. The folder has the library's own files.
    bool create(const char* device, std::size_t runners, const char* folder);

    std::size_t inputs() const { return inputs_; }
    std::size_t outputs() const { return outputs_; }
    const char* input_spec() const { return input_spec_; }
    const char* output_spec() const { return output_spec_; }
    const std::vector<std::string>& input_names() const { return input_names_; }
    const std::vector<Constant>& constants() const { return constants_; }
    const std::string& problem() const { return problem_; }

    // Runs the model with `inputs()` tensors. True: there are `outputs()` tensors, some of which
    // may be nullptr, and no two are the same. False: there are none, and `problem` says why.
    bool run(TensorHandle* inputs, TensorHandle* outputs, void* stream, std::string& problem);

  private:
    class Turn;
    struct Functions {
        int (*create)(Container**, std::size_t, const char*, const char*);
        int (*remove)(Container*);
        int (*run)(Container*, TensorHandle*, std::size_t, TensorHandle*, std::size_t, void* stream,
                   void* proxy);
        int (*count_inputs)(Container*, std::size_t*);
        int (*count_outputs)(Container*, std::size_t*);
        int (*call_spec)(Container*, const char**, const char**);
        int (*input_name)(Container*, std::size_t, const char**);
        // nullptr, each: the library is of an older torch
        int (*last_error)(const char**);
        int (*count_constants)(Container*, std::size_t*);
        int (*constant_dtype)(Container*, std::size_t, std::int32_t*);
        int (*constant_bytes)(Container*, std::size_t, std::size_t*);
        int (*constant_is_folded)(Container*, std::size_t, bool*);
        int (*fold_constants)(Container*, bool inactive, void* stream, void* proxy);
    };

    bool find_functions();
    bool describe();
    bool describe_constants();
    std::string last_error() const;

    void* library_ = nullptr;
    Functions functions_{};
    const TorchFunctions* torch_ = nullptr;
    Container* container_ = nullptr;
    std::size_t inputs_ = 0;
    std::size_t outputs_ = 0;
    const char* input_spec_ = "";
    const char* output_spec_ = "";
    std::vector<std::string> input_names_;
    std::vector<Constant> constants_;
    std::string problem_;

    std::mutex lock_;  // of the number of idle runners
    std::condition_variable idle_;
    std::size_t idle_runners_ = 0;
};

}  // namespace torch_serving
