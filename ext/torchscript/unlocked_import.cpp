#include "torchscript/unlocked_import.h"

#ifdef __linux__
#include <dlfcn.h>

#include <cstdint>
#include <stdexcept>
#endif

namespace torch_serving {
namespace {

thread_local const Lock* import_lock = nullptr;

}  // namespace

void set_import_lock(const Lock* lock) noexcept { import_lock = lock; }

}  // namespace torch_serving

#ifdef __linux__

// import_ir_module(shared_ptr<CompilationUnit>, const string&, optional<Device>,
//                  unordered_map<string, string>&, bool, bool), as it is called in either ABI of
// std::string.
#define PREFIX "_ZN5torch3jit16import_ir_moduleESt10shared_ptrINS0_15CompilationUnitEERK"
#define IMPORT_OLD_STRING                                                           \
    PREFIX                                                                          \
    "SsSt8optionalIN3c106DeviceEERSt13unordered_mapISsSsSt4hashISsESt8equal_toISsE" \
    "SaISt4pairIS4_SsEEEbb"
#define IMPORT_NEW_STRING                                                            \
    PREFIX                                                                           \
    "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESt8optionalIN3c106DeviceEE" \
    "RSt13unordered_mapIS9_S9_St4hashIS9_ESt8equal_toIS9_ESaISt4pairISA_S9_EEEbb"

namespace torch_serving {

// Stand for torch's types. A class with a destructor is returned into memory of the caller, and is
// passed by its address, as the shared pointer is. A device that may be missing fits a register.
struct Module {
    Module(const Module&);
    ~Module();
};
using OptionalDevice = std::uint64_t;

namespace {

using Import = Module(void*, const void*, OptionalDevice, void*, bool, bool);

// Lets go of the lock that the thread has for imports, for as long as it exists. An import inside
// an import finds none.
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

Import* find_import(const char* name) {
    void* library = dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
    void* found = library ? dlsym(library, name) : nullptr;
    if (!found) throw std::runtime_error("libtorch_cpu.so has no import_ir_module");
    return reinterpret_cast<Import*>(found);
}

}  // namespace

#define EXPORT __attribute__((visibility("default")))

EXPORT Module import_old(void*, const void*, OptionalDevice, void*, bool,
                         bool) __asm__(IMPORT_OLD_STRING);
EXPORT Module import_new(void*, const void*, OptionalDevice, void*, bool,
                         bool) __asm__(IMPORT_NEW_STRING);

Module import_old(void* unit, const void* path, OptionalDevice device, void* files, bool debug,
                  bool shapes) {
    static Import* const torchs = find_import(IMPORT_OLD_STRING);
    const Unlocked unlocked;
    return torchs(unit, path, device, files, debug, shapes);
}

Module import_new(void* unit, const void* path, OptionalDevice device, void* files, bool debug,
                  bool shapes) {
    static Import* const torchs = find_import(IMPORT_NEW_STRING);
    const Unlocked unlocked;
    return torchs(unit, path, device, files, debug, shapes);
}

}  // namespace torch_serving

#endif
