# distutils: language = c++
"""The result of a model -> JSON text, as the wire contract has it.

Large tensors are written without the GIL
(tests/test_encoder.py::test_large_tensors_are_encoded_side_by_side).
"""

cimport cython
cimport numpy as cnp
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t
from libcpp.string_view cimport string_view

from encoder cimport Writer
from numbers cimport Element

from torch_serving.errors import UnsupportedResult

cnp.import_array()

# Below this size, giving the GIL away and fetching it back costs more than others gain from it.
cdef Py_ssize_t WRITE_WITHOUT_GIL = 4096  # numbers


cdef struct Dtype:
    Element element
    const char* name  # with its quotes


cdef Dtype dtype_of(int typenum) except *:
    """How a numpy dtype is written; raises KeyError for one that has no form."""
    return TABLE[ROWS[typenum]]


cdef Dtype[9] TABLE = [
    Dtype(Element.boolean, '"bool"'), Dtype(Element.uint8, '"uint8"'),
    Dtype(Element.int8, '"int8"'), Dtype(Element.int16, '"int16"'),
    Dtype(Element.int32, '"int32"'), Dtype(Element.int64, '"int64"'),
    Dtype(Element.float16, '"float16"'), Dtype(Element.float32, '"float32"'),
    Dtype(Element.float64, '"float64"'),
]
cdef dict ROWS = {
    cnp.NPY_BOOL: 0, cnp.NPY_UINT8: 1, cnp.NPY_INT8: 2, cnp.NPY_INT16: 3, cnp.NPY_INT32: 4,
    cnp.NPY_INT64: 5, cnp.NPY_FLOAT16: 6, cnp.NPY_FLOAT32: 7, cnp.NPY_FLOAT64: 8,
}

# Texts that nobody writes to now: as many as results were ever encoded at the same time.
cdef list IDLE = []


@cython.final
cdef class Encoder:
    """Encode results. Safe to use from any thread.

    `to_array` turns an instance of `tensor_type` into a C-contiguous numpy array of the same shape
    and values; it raises UnsupportedResult for a tensor that has no form. What it gives is only
    read.
    """

    cdef object tensor_type
    cdef object to_array
    cdef bytes prefix
    cdef bytes suffix

    def __cinit__(self, tensor_type not None, to_array, bytes prefix=b"", bytes suffix=b""):
        self.tensor_type = tensor_type
        self.to_array = to_array
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
        if isinstance(value, (list, tuple)):
            return self.put_array(value)
        if isinstance(value, dict):
            return self.put_dict(value)
        if value is None:
            return self.write(b'{"type":"none"}')
        raise self.unsupported(f"a value of type {type(value).__name__} has no JSON form")

    cdef object unsupported(self, str problem):
        where = "".join([f"[{part!r}]"[:80] for part in self.place])
        return UnsupportedResult(f"result{where}: {problem}")

    cdef int put_int(self, value) except -1:
        cdef int64_t number
        try:
            number = value
        except OverflowError:
            raise self.unsupported("an integer does not fit 64 bits") from None
        self.write(b'{"type":"scalar","data_type":"int64","value":')
        self.writer.write_integer(number)
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
        cdef bint first = True
        self.write(b'{"type":"generic_dict","value":{')
        for key, element in value.items():
            if not isinstance(key, str):
                raise self.unsupported(f"a key of type {type(key).__name__} has no JSON form")
            if not first:
                self.write(b",")
            first = False
            self.put_string(key)
            self.write(b":")
            self.put_at(key, element)
        return self.write(b"}}")

    cdef int put_at(self, place, value) except -1:
        self.place.append(place)
        self.put(value)
        self.place.pop()
        return 0

    cdef int put_tensor(self, value) except -1:
        cdef cnp.ndarray array
        cdef Dtype dtype
        cdef Py_ssize_t count
        cdef void* data
        try:
            array = self.encoder.to_array(value)
            dtype = dtype_of(cnp.PyArray_TYPE(array))
        except UnsupportedResult as error:
            raise self.unsupported(error.detail) from None
        except KeyError:
            raise self.unsupported(f"a tensor of {array.dtype} has no JSON form") from None
        if not cnp.PyArray_IS_C_CONTIGUOUS(array):
            raise ValueError("to_array must give C-contiguous arrays")
        count = cnp.PyArray_SIZE(array)
        data = cnp.PyArray_DATA(array)
        self.write(b'{"type":"tensor","shape":[')
        self.put_shape(array)
        self.write(b'],"value":[')
        if count < WRITE_WITHOUT_GIL:
            self.writer.write_numbers(dtype.element, data, count)
        else:
            with nogil:
                self.writer.write_numbers(dtype.element, data, count)
        self.write(b'],"data_type":')
        self.writer.write(string_view(dtype.name))
        return self.write(b"}")

    cdef int put_shape(self, cnp.ndarray array) except -1:
        cdef int i
        for i in range(cnp.PyArray_NDIM(array)):
            if i > 0:
                self.write(b",")
            self.writer.write_integer(cnp.PyArray_DIM(array, i))
        return 0
