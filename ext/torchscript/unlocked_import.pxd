cdef extern from "torchscript/unlocked_import.h" namespace "torch_serving" nogil:
    struct Lock:
        void* (*release)() noexcept nogil
        void (*acquire)(void* state) noexcept nogil

    void set_import_lock(const Lock* lock) noexcept
