# distutils: language = c++
"""The result of a model -> JSON text, as the wire contract has it.

Large tensors are written without the GIL
(tests/codecs/json/test_encoder_concurrency.py::test_large_tensors_are_encoded_side_by_side).
"""

cimport cython
cimport numpy as cnp
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t
from libcpp.string_view cimport string_view

from tensors.elements cimport Element
from writer.json_writer cimport JsonWriter

from torch_serving.errors import NotAcceptable, UnsupportedResult

cnp.import_array()

# Below this size, releasing and retaking the GIL costs more than other threads gain from it.
cdef Py_ssize_t WRITE_WITHOUT_GIL = 4096  # numbers
cdef Py_ssize_t MAX_DEPTH = 256  # bounds the recursion; no schema's types are so deep
cdef Py_ssize_t MAX_EMPTY = 1 << 20  # empty arrays of one tensor, which takes no memory itself
cdef Py_ssize_t MAX_PATH = 16  # keys and indices that an error message repeats

include "encoder/data_types.pxi"
include "encoder/json_buffer.pxi"
include "encoder/values.pxi"
include "encoder/containers.pxi"
include "encoder/tensors.pxi"
include "encoder/plain.pxi"


# Unused buffers: as many as results were ever encoded at the same time.
cdef list IDLE = []


@cython.final
cdef class Encoder:
    """Encode results. Safe to use from any thread.

    `to_array` turns an instance of `tensor_type` into a C-contiguous numpy array of the same shape
    and values (bfloat16: of two-byte voids), which is only read; it raises UnsupportedResult for a
    tensor that JSON can't hold. `to_envelope` turns a value of another type into a dictionary of
    strings and values, or returns None. `spec` is the type of the result.
    """

    cdef object tensor_type
    cdef object to_array
    cdef object to_envelope
    cdef object spec
    cdef bytes prefix
    cdef bytes suffix

    def __cinit__(
        self, tensor_type not None, to_array, bytes prefix=b"", bytes suffix=b"",
        to_envelope=None, spec=None,
    ):
        self.tensor_type = tensor_type
        self.to_array = to_array
        self.to_envelope = to_envelope
        self.spec = spec
        self.prefix = prefix
        self.suffix = suffix

    def encode(self, value):
        """Return `prefix`, the JSON text of `value` in UTF-8, and `suffix`.

        Raises UnsupportedResult for a value that the contract has no form for; its detail names the
        path to it in the result.
        """
        return self.encoded(value, False)

    def encode_plain(self, value):
        """Do the same without envelopes: nested arrays for tensors, objects for dictionaries.

        Raises NotAcceptable for what only envelopes can express.
        """
        return self.encoded(value, True)

    cdef bytes encoded(self, value, bint plain):
        cdef JsonBuffer out = IDLE.pop() if IDLE else JsonBuffer()
        out.encoder = self
        out.plain = plain
        try:
            out.write(self.prefix)
            write_value(out, value)
            out.write(self.suffix)
            if out.writer.failed():
                raise MemoryError
            return PyBytes_FromStringAndSize(out.writer.data(), out.writer.size())
        finally:
            out.release()
            IDLE.append(out)


def encode_numbers(cnp.ndarray array not None):
    """The numbers of a C-contiguous array as one flat JSON array, as `Encoder` writes them.

    Raises KeyError for an array of anything else.
    """
    if not cnp.PyArray_IS_C_CONTIGUOUS(array):
        raise ValueError("arrays must be C-contiguous")
    cdef JsonBuffer out = IDLE.pop() if IDLE else JsonBuffer()
    try:
        out.write(b"[")
        write_numbers(out, array, TABLE[<int>ROWS[cnp.PyArray_TYPE(array)]])
        out.write(b"]")
        if out.writer.failed():
            raise MemoryError
        return PyBytes_FromStringAndSize(out.writer.data(), out.writer.size())
    finally:
        out.release()
        IDLE.append(out)
