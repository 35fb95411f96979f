# distutils: language = c++
"""Packages of AOTInductor, called by the C functions of their libraries, without the GIL."""

cimport cython
cimport numpy as cnp
from cpython.object cimport PyTypeObject
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int32_t, int64_t, uintptr_t
from libcpp.string cimport string
from libcpp.vector cimport vector

from torch._C import _aoti

from aoti.package cimport CPackage, TensorHandle, TorchFunctions, torch_functions
from aoti.package cimport is_loaded as c_is_loaded

cnp.import_array()

to_handles = _aoti.unsafe_alloc_void_ptrs_from_tensors
to_tensors = _aoti.alloc_tensors_by_stealing_from_void_ptrs


class PackageError(Exception):
    """What a library, or the dynamic linker, says is wrong."""


def is_loaded(str path):
    """Whether the dynamic linker has a library with this path, whatever is there now."""
    cdef bytes encoded = path.encode()
    return bool(c_is_loaded(encoded))


@cython.final
cdef class Package:
    """A library that is loaded, and the model in it. Safe to use from any thread.

    Dropping it unloads the library.
    """

    cdef CPackage* package
    cdef object folder
    cdef readonly tuple input_names
    cdef readonly Py_ssize_t outputs
    cdef readonly Py_ssize_t runners
    cdef readonly str input_spec
    cdef readonly str output_spec
    cdef readonly list constants  # pairs of torch's number of a data type, and bytes

    def __cinit__(self, str path, str device, size_t runners, folder=None):
        """Load the library at a path that no other loaded library has, for `runners` runs at once.

        `folder` has the files that the library reads itself, at `path`, and is kept. Raises
        PackageError.
        """
        cdef bytes path_bytes = path.encode(), device_bytes = device.encode()
        cdef bytes folder_bytes = None if folder is None else folder.path.encode()
        cdef const char* c_path = path_bytes
        cdef const char* c_device = device_bytes
        cdef const char* c_folder = NULL
        cdef bint works
        if folder is not None:
            c_folder = folder_bytes
        self.folder = folder
        self.runners = runners
        self.package = new CPackage()
        with nogil:
            works = self.package.load(c_path) and self.package.create(c_device, runners, c_folder)
        if not works:
            raise PackageError(text(self.package.problem()))
        self.input_names = tuple([text(each) for each in self.package.input_names()])
        self.outputs = self.package.outputs()
        self.input_spec = self.package.input_spec().decode()
        self.output_spec = self.package.output_spec().decode()
        self.constants = [(each.dtype, each.bytes) for each in self.package.constants()]

    def __dealloc__(self):
        cdef CPackage* package = self.package
        with nogil:
            del package

    def run(self, list tensors, uintptr_t stream=0):
        """Return the tensors that the model makes of tensors; None where it makes none.

        Raises PackageError with what the model says, and ValueError for another number of tensors
        than it takes.
        """
        cdef Py_ssize_t count = len(self.input_names), i
        self.check_count(tensors)
        cdef vector[TensorHandle] inputs, outputs
        inputs.resize(count)
        outputs.resize(self.outputs)
        cdef list handles = to_handles(tensors)
        for i in range(count):
            inputs[i] = <TensorHandle> PyCapsule_GetPointer(handles[i], NULL)
        cdef string problem
        cdef bint works
        with nogil:
            works = self.package.run(inputs.data(), outputs.data(), <void*> stream, problem)
        if not works:
            raise PackageError(text(problem))
        return take(outputs)

    def run_arrays(self, arrays not None):
        """Do the same with a list or tuple of arrays: results are arrays over their own memory.

        None, and nothing is run, for anything else than C-contiguous arrays of torch's types. A
        result of a type that numpy has not is a tensor.
        """
        cdef Py_ssize_t count = len(self.input_names)
        cdef list kept = list(arrays)
        self.check_count(kept)
        for each in kept:
            if not is_array(each):
                return None
        cdef vector[TensorHandle] inputs, outputs
        inputs.resize(count)
        outputs.resize(self.outputs)
        wrap(kept, inputs)
        cdef string problem
        cdef bint works
        with nogil:
            works = self.package.run(inputs.data(), outputs.data(), NULL, problem)
        if not works:
            raise PackageError(text(problem))
        return unwrap(outputs, kept, self)

    cdef int check_count(self, list tensors) except -1:
        if len(tensors) != len(self.input_names):
            raise ValueError(
                f"the package takes {len(self.input_names)} tensors, got {len(tensors)}"
            )
        return 0


cdef list take(vector[TensorHandle]& outputs):
    cdef list handles = []
    cdef TensorHandle each
    for each in outputs:
        if each != NULL:
            handles.append(PyCapsule_New(each, NULL, NULL))
    tensors = iter(to_tensors(handles))
    return [next(tensors) if each != NULL else None for each in outputs]


cdef str text(const string& found):
    return found.decode("utf-8", "replace").strip()


include "aoti/arrays.pxi"
