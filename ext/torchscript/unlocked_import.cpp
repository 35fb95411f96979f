#include "torchscript/unlocked_import.h"

#ifdef __linux__
#include <dlfcn.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#endif

namespace torch_serving {
namespace {

thread_local const Lock* import_lock = nullptr;

}  // namespace

void set_import_lock(const Lock* lock) noexcept { import_lock = lock; }

}  // namespace torch_serving

#ifdef __linux__

namespace torch_serving {

// Stands for torch's: a class with a destructor is returned into memory of the caller. Objects that
// are passed by reference, or by value if they have a destructor, are passed by their addresses.
struct Module {
    Module(const Module&);
    ~Module();
};

// A device that may be missing fits a register.
using OptionalDevice = std::uint64_t;

namespace {

// Lets go of the lock that the thread has for torch, for as long as it exists. A call inside a call
// finds none.
class Unlocked {
  public:
    Unlocked() : lock_(import_lock), state_(lock_ ? lock_->release() : nullptr) {
        import_lock = nullptr;
    }
    ~Unlocked() {
        if (lock_) lock_->acquire(state_);
        import_lock = lock_;
    }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

  private:
    const Lock* lock_;
    void* state_;
};

void* find(const char* name) {
    void* library = dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
    void* found = library ? dlsym(library, name) : nullptr;
    if (!found) throw std::runtime_error(std::string("libtorch_cpu.so has no ") + name);
    return found;
}

}  // namespace

// Takes the place of a function of torch. Its name has the types of its parameters in it, so it is
// that of these parameters or of none.
#define UNLOCK(function, name, Result, PARAMETERS, ARGUMENTS)                           \
    __attribute__((visibility("default"))) Result function PARAMETERS __asm__(name);    \
    Result function PARAMETERS {                                                        \
        static auto* const torchs = reinterpret_cast<Result(*) PARAMETERS>(find(name)); \
        const Unlocked unlocked;                                                        \
        return torchs ARGUMENTS;                                                        \
    }

#define TORCH "_ZN5torch3jit"
#define NEW_STRING "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"

// import_ir_module(shared_ptr<CompilationUnit>, const string&, optional<Device>,
//                  unordered_map<string, string>&, bool, bool)
#define IMPORT TORCH "16import_ir_moduleESt10shared_ptrINS0_15CompilationUnitEERK"
#define IMPORT_PARAMETERS \
    (void* unit, const void* path, OptionalDevice device, void* files, bool debug, bool shapes)
#define IMPORT_ARGUMENTS (unit, path, device, files, debug, shapes)

UNLOCK(import_old_string,
       IMPORT
       "SsSt8optionalIN3c106DeviceEERSt13unordered_mapISsSsSt4hashISsESt8equal_toISsE"
       "SaISt4pairIS4_SsEEEbb",
       Module, IMPORT_PARAMETERS, IMPORT_ARGUMENTS)
UNLOCK(import_new_string,
       IMPORT NEW_STRING
       "St8optionalIN3c106DeviceEERSt13unordered_mapIS9_S9_St4hashIS9_E"
       "St8equal_toIS9_ESaISt4pairISA_S9_EEEbb",
       Module, IMPORT_PARAMETERS, IMPORT_ARGUMENTS)

// freeze_module(const Module&, vector<string>, bool, bool)
#define FREEZE TORCH "13freeze_moduleERKNS0_6ModuleESt6vectorI"
#define FREEZE_PARAMETERS (const void* module, void* preserved, bool interfaces, bool parameters)
#define FREEZE_ARGUMENTS (module, preserved, interfaces, parameters)

UNLOCK(freeze_old_string, FREEZE "SsSaISsEEbb", Module, FREEZE_PARAMETERS, FREEZE_ARGUMENTS)
UNLOCK(freeze_new_string, FREEZE NEW_STRING "SaISA_EEbb", Module, FREEZE_PARAMETERS,
       FREEZE_ARGUMENTS)

// optimize_for_inference(Module&, const vector<string>&)
#define OPTIMIZE TORCH "22optimize_for_inferenceERNS0_6ModuleERKSt6vectorI"

UNLOCK(optimize_old_string, OPTIMIZE "SsSaISsEE", Module, (void* module, const void* methods),
       (module, methods))
UNLOCK(optimize_new_string, OPTIMIZE NEW_STRING "SaIS9_EE", Module,
       (void* module, const void* methods), (module, methods))

// OptimizeFrozenGraph(shared_ptr<Graph>&, bool)
UNLOCK(optimize_graph, TORCH "19OptimizeFrozenGraphERSt10shared_ptrINS0_5GraphEEb", void,
       (void* graph, bool numerics), (graph, numerics))

}  // namespace torch_serving

#endif
