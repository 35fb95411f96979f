# The data types of tensors: how their numbers are written, and what numpy calls them.

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
