# distutils: language = c++
"""Other threads run while torch imports a module or freezes it.

`torch_serving` imports this module before torch, and into the global scope of the dynamic linker.
"""

from torchscript.unlocked_import cimport Lock, set_import_lock


cdef extern from "Python.h" nogil:
    ctypedef struct PyThreadState:
        pass

    PyThreadState* PyEval_SaveThread()
    void PyEval_RestoreThread(PyThreadState* state)


cdef void* release() noexcept nogil:
    return PyEval_SaveThread()


cdef void acquire(void* state) noexcept nogil:
    PyEval_RestoreThread(<PyThreadState*> state)


cdef Lock gil
gil.release = release
gil.acquire = acquire


def unlocked(load, *arguments):
    """Return `load(*arguments)`; the GIL is released while torch imports or freezes a module."""
    set_import_lock(&gil)
    try:
        return load(*arguments)
    finally:
        set_import_lock(<const Lock*> NULL)
