// Imports of TorchScript modules, and their freezing, that let go of a lock of the caller
// meanwhile.
//
// torch's Python module calls `torch::jit::import_ir_module` and others in another library of
// torch, and holds the interpreter's lock until they return. This file has functions of those
// names, which let go of the lock and call torch's. The dynamic linker takes them where this
// library was loaded into the global scope before torch. Elsewhere, and where torch has no function
// of such a name, nothing changes: torch holds the lock.
#pragma once

namespace torch_serving {

// How a thread lets go of a lock, and takes it again.
struct Lock {
    void* (*release)();
    void (*acquire)(void* state);
};

// For such calls of this thread from now on; nullptr: there is none to let go of.
void set_import_lock(const Lock* lock) noexcept;

}  // namespace torch_serving
