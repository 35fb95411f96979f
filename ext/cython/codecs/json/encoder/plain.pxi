# Values without envelopes: what JSON has by itself.

cdef int write_plain(JsonBuffer out, value) except -1:
    if isinstance(value, out.encoder.tensor_type):
        return write_plain_tensor(out, value)
    if isinstance(value, (bool, int, float)):
        return write_key(out, value)
    if isinstance(value, str):
        return out.write_string(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return write_members(out, dict(zip(value._fields, value, strict=True)))
    if isinstance(value, (list, tuple)):
        return write_array(out, value)
    if isinstance(value, dict):
        return write_plain_dict(out, value)
    if value is None:
        return out.write(b"null")
    if isinstance(value, complex):
        raise out.not_plain("a complex number")
    value = envelope_of(out, value)["value"]
    return out.write_string(value) if isinstance(value, str) else write_members(out, value)


cdef int write_plain_dict(JsonBuffer out, dict value) except -1:
    """An object; with other keys than strings an array of pairs, as a request has it."""
    cdef str key_type = key_type_of(out, value)
    cdef bint first = True
    if key_type == "str":
        return write_members(out, value)
    if key_type == "complex":
        raise out.not_plain("a dictionary with complex keys")
    out.write(b"[")
    for key, element in value.items():
        out.write(b"[" if first else b",[")
        first = False
        if key_type == "tensor":
            write_plain_tensor(out, key)
        else:
            write_key(out, key)
        out.write(b",")
        write_below(out, key, element)
        out.write(b"]")
    return out.write(b"]")


cdef int write_plain_tensor(JsonBuffer out, value) except -1:
    cdef Dtype dtype
    cdef cnp.ndarray array = array_of(out, value, &dtype)
    if dtype.components > 1:
        raise out.not_plain("a tensor of complex numbers")
    check_empty(out, array)
    cdef const void* data = cnp.PyArray_DATA(array)
    cdef const ptrdiff_t* shape = <const ptrdiff_t*>cnp.PyArray_DIMS(array)
    cdef size_t rank = cnp.PyArray_NDIM(array)
    if cnp.PyArray_SIZE(array) < WRITE_WITHOUT_GIL:
        out.writer.write_nested(dtype.element, data, shape, rank)
    else:
        with nogil:
            out.writer.write_nested(dtype.element, data, shape, rank)
    return 0


cdef int check_empty(JsonBuffer out, cnp.ndarray array) except -1:
    """A tensor of no number may stand for any number of arrays."""
    cdef Py_ssize_t arrays = 1
    cdef int i = 0
    if cnp.PyArray_SIZE(array) > 0:
        return 0
    while cnp.PyArray_DIM(array, i) > 0:
        if cnp.PyArray_DIM(array, i) > MAX_EMPTY // arrays:
            raise out.not_plain(f"a tensor of more than {MAX_EMPTY} empty arrays")
        arrays *= cnp.PyArray_DIM(array, i)
        i += 1
    return 0
