# distutils: language = c++
"""JSON body -> the arguments of a model's method, led by the method's schema.

A `TypeSpec` says what one value must be. The reader walks spec and document together, so an error
can name the argument, its location in the body, what was expected and what was there. Numbers go
from the text straight into numpy memory of their final type and shape; for large bodies without the
GIL (tests/codecs/json/test_decoder_concurrency.py::test_large_bodies_are_decoded_side_by_side).
"""

cimport cython
cimport numpy as cnp
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp
from libcpp.string_view cimport string_view

from document.document cimport Document, Error, Kind, Node, NodeId, Nodes, message
from tensors.envelope cimport (
    ABSENT, ALLOWED_KEYS, DATA_TYPES, Envelope, Type, find_data_type, find_key, find_type,
    read_envelope,
)
from tensors.elements cimport Element, Reading, read_numbers
from tensors.shape cimport MAX_RANK as C_MAX_RANK
from tensors.shape cimport LocatedError, Shape, measure, read_shape, read_values

from torch_serving.codecs.json import hints
from torch_serving.codecs.constants import expected_constant, is_constant
from torch_serving.codecs.decoding import VALUES_BYTES, VALUES_PER_BODY
from torch_serving.errors import (
    BodyTooLarge,
    EmptyBody,
    IncompatibleDtype,
    IncompatibleShape,
    InvalidInput,
    InvalidJson,
    ServingError,
)
from torch_serving.tensor_constraint import MAX_SIZE

cnp.import_array()

MAX_RANK = C_MAX_RANK  # dimensions of a tensor

cdef int64_t C_VALUES_BYTES = VALUES_BYTES
cdef int64_t C_VALUES_PER_BODY = VALUES_PER_BODY

# Below these sizes, releasing and retaking the GIL costs more than other threads gain from it.
cdef size_t PARSE_WITHOUT_GIL = 32 * 1024  # bytes
cdef int64_t READ_WITHOUT_GIL = 4096  # numbers

include "decoder/locations.pxi"
include "decoder/data_types.pxi"
include "decoder/type_specs.pxi"
include "decoder/reader.pxi"
include "decoder/arguments.pxi"
include "decoder/tensors.pxi"
include "decoder/scalars.pxi"
include "decoder/containers.pxi"
include "decoder/json_values.pxi"


# Unused readers: as many as bodies were ever decoded at the same time.
cdef list IDLE = []


@cython.final
cdef class Decoder:
    """Decode bodies for one method. Safe to use from any thread."""

    cdef tuple arguments
    cdef ValueFactory factory
    cdef Py_ssize_t required  # by position: up to the last one that has no default
    cdef size_t window_bytes
    cdef bint takes_members  # of an object, as the only argument
    cdef bint named_type  # an argument is called as the key that makes an object an envelope

    def __cinit__(self, arguments, factory, size_t window_bytes=0):
        """`window_bytes`, for tests: how much of a body is indexed at a time; 0 is the default."""
        self.window_bytes = window_bytes
        self.arguments = tuple(arguments)
        self.factory = factory if isinstance(factory, ValueFactory) else ValueFactory(factory)
        self.named_type = any([(<Argument?>each).name == "type" for each in self.arguments])
        self.takes_members = len(self.arguments) == 1 and (
            (<Argument?>self.arguments[0]).spec.is_mapping()
        )
        self.required = 0
        for index, argument in enumerate(self.arguments):
            if (<Argument?>argument).required:
                self.required = index + 1

    def decode(self, body not None):
        """Return the list of arguments in `body`, a bytes-like object of UTF-8 JSON.

        Raises EmptyBody, InvalidJson, InvalidInput, IncompatibleShape or IncompatibleDtype
        (torch_serving.errors), each with a detail that names the location.
        """
        cdef Reader reader = IDLE.pop() if IDLE else Reader()
        cdef Py_buffer view
        PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
        try:
            reader.decoder = self
            reader.parse(<const char*>view.buf, <size_t>view.len, False, self.window_bytes)
            try:
                arguments = read_arguments(reader)
            except ServingError:
                reader.validate()  # malformed JSON matters more
                raise
            reader.validate()
            return arguments
        finally:
            reader.release()
            IDLE.append(reader)
            PyBuffer_Release(&view)
