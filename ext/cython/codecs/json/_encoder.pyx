# distutils: language = c++
"""The result of a model -> JSON text, as the wire contract has it.

Large tensors are written without the GIL
(tests/codecs/json/test_encoder.py::test_large_tensors_are_encoded_side_by_side).
"""

cimport cython
cimport numpy as cnp
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t
from libcpp.string_view cimport string_view

from writer.json_writer cimport Writer
from tensors.elements cimport Element

from torch_serving.errors import UnsupportedResult

cnp.import_array()

# Below this size, giving the GIL away and fetching it back costs more than others gain from it.
cdef Py_ssize_t WRITE_WITHOUT_GIL = 4096  # numbers
cdef Py_ssize_t MAX_DEPTH = 256  # bounds the recursion; no schema's types are so deep
cdef Py_ssize_t MAX_PARTS = 16  # of a place that an error tells


cdef struct Dtype:
    Element element
    int components
    const char* name  # with its quotes


# numpy has no bfloat16: arrays of two opaque bytes hold it.
cdef Dtype[15] TABLE = [
    Dtype(Element.boolean, 1, '"bool"'), Dtype(Element.uint8, 1, '"uint8"'),
    Dtype(Element.uint16, 1, '"uint16"'), Dtype(Element.uint32, 1, '"uint32"'),
    Dtype(Element.uint64, 1, '"uint64"'), Dtype(Element.int8, 1, '"int8"'),
    Dtype(Element.int16, 1, '"int16"'), Dtype(Element.int32, 1, '"int32"'),
    Dtype(Element.int64, 1, '"int64"'), Dtype(Element.float16, 1, '"float16"'),
    Dtype(Element.bfloat16, 1, '"bfloat16"'), Dtype(Element.float32, 1, '"float32"'),
    Dtype(Element.float64, 1, '"float64"'), Dtype(Element.float32, 2, '"complex64"'),
    Dtype(Element.float64, 2, '"complex128"'),
]
cdef dict ROWS = {
    typenum: row for row, typenum in enumerate((
        cnp.NPY_BOOL, cnp.NPY_UINT8, cnp.NPY_UINT16, cnp.NPY_UINT32, cnp.NPY_UINT64, cnp.NPY_INT8,
        cnp.NPY_INT16, cnp.NPY_INT32, cnp.NPY_INT64, cnp.NPY_FLOAT16, cnp.NPY_VOID,
        cnp.NPY_FLOAT32, cnp.NPY_FLOAT64, cnp.NPY_COMPLEX64, cnp.NPY_COMPLEX128,
    ))
}
# What `key_type` calls the keys of a dictionary.
cdef tuple KEY_TYPES = (
    (bool, "bool"), (int, "int"), (float, "float"), (complex, "complex"), (str, "str"),
)

# Texts that nobody writes to now: as many as results were ever encoded at the same time.
cdef list IDLE = []


@cython.final
cdef class Encoder:
    """Encode results. Safe to use from any thread.

    `to_array` turns an instance of `tensor_type` into a C-contiguous numpy array of the same shape
    and values (bfloat16: of two-byte voids); it raises UnsupportedResult for a tensor that has no
    form. What it gives is only read. `to_envelope` turns a value of another type into a dictionary
    of strings and values, or returns None. `plan` is that of the result.
    """

    cdef object tensor_type
    cdef object to_array
    cdef object to_envelope
    cdef object plan
    cdef bytes prefix
    cdef bytes suffix

    def __cinit__(
        self, tensor_type not None, to_array, bytes prefix=b"", bytes suffix=b"",
        to_envelope=None, plan=None,
    ):
        self.tensor_type = tensor_type
        self.to_array = to_array
        self.to_envelope = to_envelope
        self.plan = plan
        self.prefix = prefix
        self.suffix = suffix

    def encode(self, value):
        """Return `prefix`, the JSON text of `value` in UTF-8, and `suffix`.

        Raises UnsupportedResult for a value that the contract has no form for; its detail names the
        place in the result.
        """
        cdef Text text = IDLE.pop() if IDLE else Text()
        text.encoder = self
        try:
            text.write(self.prefix)
            text.put(value)
            text.write(self.suffix)
            if text.writer.failed():
                raise MemoryError
            return PyBytes_FromStringAndSize(text.writer.data(), text.writer.size())
        finally:
            text.release()
            IDLE.append(text)


def encode_numbers(cnp.ndarray array not None):
    """The numbers of a C-contiguous array as one flat JSON array, as `Encoder` writes them.

    Raises KeyError for an array of anything else.
    """
    cdef Text text = IDLE.pop() if IDLE else Text()
    try:
        text.write(b"[")
        text.put_numbers(array, TABLE[<int>ROWS[cnp.PyArray_TYPE(array)]])
        text.write(b"]")
        if text.writer.failed():
            raise MemoryError
        return PyBytes_FromStringAndSize(text.writer.data(), text.writer.size())
    finally:
        text.release()
        IDLE.append(text)


cdef object unwrapped(plan):
    return plan.parts[0] if plan is not None and plan.form == "optional" else plan


@cython.final
cdef class Text:
    """JSON text that grows, and the place in the result that is being written."""

    cdef Writer writer
    cdef Encoder encoder
    cdef list place

    def __cinit__(self):
        self.place = []

    cdef int release(self) except -1:
        self.writer.clear()
        self.encoder = None
        self.place.clear()
        return 0

    cdef int write(self, bytes text) except -1:
        self.writer.write(string_view(<const char*>text, len(text)))
        return 0

    cdef int put(self, value) except -1:
        if isinstance(value, self.encoder.tensor_type):
            return self.put_tensor(value)
        if value is True or value is False:
            return self.write(b'{"type":"scalar","data_type":"bool","value":%s}' % (
                b"true" if value else b"false"
            ))
        if isinstance(value, int):
            return self.put_int(value)
        if isinstance(value, float):
            return self.put_float(value)
        if isinstance(value, str):
            self.write(b'{"type":"string","value":')
            self.put_string(value)
            return self.write(b"}")
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self.put_named_tuple(value)
        if isinstance(value, (list, tuple)):
            return self.put_array(value)
        if isinstance(value, dict):
            return self.put_dict(value)
        if value is None:
            return self.write(b'{"type":"none"}')
        if isinstance(value, complex):
            self.write(b'{"type":"scalar","data_type":"complex128","value":')
            self.put_key(value)
            return self.write(b"}")
        envelope = self.encoder.to_envelope(value) if self.encoder.to_envelope else None
        if envelope is None:
            raise self.unsupported(f"a value of type {type(value).__name__} has no JSON form")
        return self.put_envelope(envelope)

    cdef int put_envelope(self, dict envelope) except -1:
        """A dictionary whose strings stand for themselves, and whose `value` may hold values."""
        cdef bint first = True
        self.write(b"{")
        for key, value in envelope.items():
            self.write(b"" if first else b",")
            first = False
            self.put_string(key)
            self.write(b":")
            if isinstance(value, str):
                self.put_string(value)
            else:
                self.put_members(value)
        return self.write(b"}")

    cdef int put_members(self, dict members) except -1:
        cdef bint first = True
        self.write(b"{")
        for key, value in members.items():
            self.write(b"" if first else b",")
            first = False
            self.put_string(key)
            self.write(b":")
            self.put_at(key, value)
        return self.write(b"}")

    cdef int put_named_tuple(self, value) except -1:
        return self.put_envelope({
            "type": "named_tuple",
            "name": type(value).__name__,
            "value": dict(zip(value._fields, value, strict=True)),
        })

    cdef object unsupported(self, str problem):
        where = "".join([f"[{part!r}]"[:80] for part in self.place[:MAX_PARTS]])
        return UnsupportedResult(f"result{where}: {problem}")

    cdef int64_t int64(self, value) except? -1:
        try:
            return value
        except OverflowError:
            raise self.unsupported("an integer does not fit 64 bits") from None

    cdef int put_int(self, value) except -1:
        self.write(b'{"type":"scalar","data_type":"int64","value":')
        self.writer.write_integer(self.int64(value))
        return self.write(b"}")

    cdef int put_float(self, double value) except -1:
        self.write(b'{"type":"scalar","data_type":"float64","value":')
        self.writer.write_numbers(Element.float64, &value, 1)
        return self.write(b"}")

    cdef int put_string(self, str value) except -1:
        cdef Py_ssize_t size
        cdef const char* utf8
        try:
            utf8 = PyUnicode_AsUTF8AndSize(value, &size)
        except UnicodeEncodeError:
            raise self.unsupported("a string is not valid Unicode") from None
        self.writer.write_string(string_view(utf8, size))
        return 0

    cdef int put_array(self, value) except -1:
        cdef Py_ssize_t index = 0
        self.write(b"[")
        for element in value:
            if index > 0:
                self.write(b",")
            self.put_at(index, element)
            index += 1
        return self.write(b"]")

    cdef int put_dict(self, dict value) except -1:
        cdef str key_type = self.key_type_of(value)
        cdef bint first = True
        self.write(b'{"type":"generic_dict",')
        if key_type == "str":
            self.write(b'"value":')
            self.put_members(value)
            return self.write(b"}")
        self.write(b'"key_type":')
        self.put_string(key_type)
        self.write(b',"value":[')
        for key, element in value.items():
            self.write(b"[" if first else b",[")
            first = False
            self.put_key(key)
            self.write(b",")
            self.put_at(key, element)
            self.write(b"]")
        return self.write(b"]}")

    cdef str key_type_of(self, dict value):
        for key in value:
            if isinstance(key, self.encoder.tensor_type):
                return "tensor"
            for key_type, name in KEY_TYPES:
                if isinstance(key, key_type):
                    return name
            raise self.unsupported(f"a key of type {type(key).__name__} has no JSON form")
        return self.planned_key_type()

    cdef str planned_key_type(self):
        """What the schema says of the keys of an empty dictionary."""
        plan = unwrapped(self.encoder.plan)
        for part in self.place:
            if plan is None or not plan.parts:
                return "str"
            if plan.form == "tuple":
                index = plan.names.index(part) if plan.names else part
                plan = unwrapped(plan.parts[index])
            else:
                plan = unwrapped(plan.parts[len(plan.parts) - 1])
        return plan.parts[0].form if plan is not None and plan.form == "dict" else "str"

    cdef int put_key(self, value) except -1:
        """A number, boolean or tensor as a key: plain JSON where that is possible."""
        cdef double[2] parts
        if isinstance(value, self.encoder.tensor_type):
            return self.put_tensor(value)
        if value is True or value is False:
            return self.write(b"true" if value else b"false")
        if isinstance(value, int):
            self.writer.write_integer(self.int64(value))
            return 0
        if isinstance(value, float):
            parts[0] = value
            self.writer.write_numbers(Element.float64, parts, 1)
            return 0
        parts[0] = value.real
        parts[1] = value.imag
        self.write(b"[")
        self.writer.write_numbers(Element.float64, parts, 2)
        return self.write(b"]")

    cdef int put_at(self, place, value) except -1:
        self.place.append(place)
        if len(self.place) > MAX_DEPTH:
            raise self.unsupported(f"nested deeper than {MAX_DEPTH} levels")
        self.put(value)
        self.place.pop()
        return 0

    cdef int put_tensor(self, value) except -1:
        cdef cnp.ndarray array
        cdef Dtype dtype
        try:
            array = self.encoder.to_array(value)
            dtype = TABLE[<int>ROWS[cnp.PyArray_TYPE(array)]]
        except UnsupportedResult as error:
            raise self.unsupported(error.detail) from None
        except KeyError:
            raise self.unsupported(f"a tensor of {array.dtype} has no JSON form") from None
        self.write(b'{"type":"tensor","shape":[')
        self.put_shape(array)
        self.write(b'],"value":[')
        self.put_numbers(array, dtype)
        self.write(b'],"data_type":')
        self.writer.write(string_view(dtype.name))
        return self.write(b"}")

    cdef int put_numbers(self, cnp.ndarray array, Dtype dtype) except -1:
        cdef Py_ssize_t count = cnp.PyArray_SIZE(array) * dtype.components
        cdef void* data = cnp.PyArray_DATA(array)
        if not cnp.PyArray_IS_C_CONTIGUOUS(array):
            raise ValueError("arrays must be C-contiguous")
        if count < WRITE_WITHOUT_GIL:
            self.writer.write_numbers(dtype.element, data, count)
        else:
            with nogil:
                self.writer.write_numbers(dtype.element, data, count)
        return 0

    cdef int put_shape(self, cnp.ndarray array) except -1:
        cdef int i
        for i in range(cnp.PyArray_NDIM(array)):
            if i > 0:
                self.write(b",")
            self.writer.write_integer(cnp.PyArray_DIM(array, i))
        return 0
