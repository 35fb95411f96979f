// Imports of TorchScript modules that let go of a lock of the caller meanwhile.
//
// torch's Python module calls `torch::jit::import_ir_module` in another library of torch, and holds
// the interpreter's lock until it returns. This file has a function of that name, which lets go of
// the lock and calls torch's. The dynamic linker takes it where this library was loaded into the
// global scope before torch. Elsewhere, and where torch has no function of that name, nothing
// changes: torch holds the lock.
#pragma once

namespace torch_serving {

// How a thread lets go of a lock, and takes it again.
struct Lock {
    void* (*release)();
    void (*acquire)(void* state);
};

// For imports of this thread from now on; nullptr: there is none to let go of.
void set_import_lock(const Lock* lock) noexcept;

}  // namespace torch_serving
