# Tensors: their shapes, and their numbers from the memory of an array.

cdef cnp.ndarray array_of(JsonBuffer out, value, Dtype* dtype):
    """The array of a tensor; `dtype` becomes its data type."""
    cdef cnp.ndarray array
    try:
        array = out.encoder.to_array(value)
        dtype[0] = TABLE[<int>ROWS[cnp.PyArray_TYPE(array)]]
    except UnsupportedResult as error:
        raise out.unsupported(error.detail) from None
    except KeyError:
        raise out.unsupported(f"a tensor of {array.dtype} has no JSON form") from None
    if not cnp.PyArray_IS_C_CONTIGUOUS(array):
        raise ValueError("arrays must be C-contiguous")
    return array


cdef int write_tensor(JsonBuffer out, value) except -1:
    cdef Dtype dtype
    cdef cnp.ndarray array = array_of(out, value, &dtype)
    out.write(b'{"type":"tensor","shape":[')
    write_shape(out, array)
    out.write(b'],"value":[')
    write_numbers(out, array, dtype)
    out.write(b'],"data_type":')
    out.writer.write(string_view(dtype.name))
    return out.write(b"}")


cdef int write_numbers(JsonBuffer out, cnp.ndarray array, Dtype dtype) except -1:
    cdef Py_ssize_t count = cnp.PyArray_SIZE(array) * dtype.components
    cdef void* data = cnp.PyArray_DATA(array)
    if count < WRITE_WITHOUT_GIL:
        out.writer.write_numbers(dtype.element, data, count)
    else:
        with nogil:
            out.writer.write_numbers(dtype.element, data, count)
    return 0


cdef int write_shape(JsonBuffer out, cnp.ndarray array) except -1:
    cdef int i
    for i in range(cnp.PyArray_NDIM(array)):
        if i > 0:
            out.write(b",")
        out.writer.write_integer(cnp.PyArray_DIM(array, i))
    return 0
