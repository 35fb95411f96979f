# The data types of tensors and scalars: their names, what numpy calls them, what they hold.

# In the order of DATA_TYPES (envelope.h). numpy has no bfloat16: its bits are held as uint16.
cdef int[15] TYPENUMS = [
    cnp.NPY_BOOL, cnp.NPY_UINT8, cnp.NPY_UINT16, cnp.NPY_UINT32, cnp.NPY_UINT64, cnp.NPY_INT8,
    cnp.NPY_INT16, cnp.NPY_INT32, cnp.NPY_INT64, cnp.NPY_FLOAT16, cnp.NPY_UINT16, cnp.NPY_FLOAT32,
    cnp.NPY_FLOAT64, cnp.NPY_COMPLEX64, cnp.NPY_COMPLEX128,
]
cdef tuple NAMES = tuple([text_of(DATA_TYPES[i].name) for i in range(15)])
DATA_TYPE_NAMES = NAMES
cdef int FLOAT32 = NAMES.index("float32")
cdef int UINT8 = NAMES.index("uint8")
cdef int BFLOAT16 = NAMES.index("bfloat16")
cdef dict RANGES = {
    "bool": "true, false, 0 or 1",
    **{f"uint{bits}": f"0…{2 ** bits - 1}" for bits in (8, 16, 32, 64)},
    **{f"int{bits}": f"{-2 ** (bits - 1)}…{2 ** (bits - 1) - 1}" for bits in (8, 16, 32, 64)},
    "float16": "±65504",
    "bfloat16": "±3.3895314e38",
    "float32": "±3.4028235e38",
    "float64": "±1.7976931348623157e308",
    "complex64": "±3.4028235e38",
    "complex128": "±1.7976931348623157e308",
}


def data_types(**aliases):
    """Names of data types that a scalar may have -> indices into NAMES."""
    return {name: NAMES.index(data_type) for name, data_type in aliases.items()}


cdef dict BOOLEANS = data_types(bool="bool")
cdef dict INTEGERS = data_types(
    int="int64", int8="int8", int16="int16", int32="int32", int64="int64", uint8="uint8",
)
cdef dict FLOATS = data_types(
    float="float64", float16="float16", float32="float32", float64="float64",
)
cdef dict COMPLEX = data_types(complex64="complex64", complex128="complex128")
cdef dict SCALARS = INTEGERS | FLOATS | BOOLEANS | COMPLEX
cdef dict SCALARS_OF = {
    "bool": BOOLEANS, "int": INTEGERS, "float": FLOATS | INTEGERS, "number": SCALARS,
    "complex": COMPLEX | FLOATS | INTEGERS,
}
cdef dict WIDEST = {"bool": "bool", "int": "int", "float": "float", "complex": "complex128"}
