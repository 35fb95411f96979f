# Arrays, objects and dictionaries.

# What `key_type` calls the keys of a dictionary.
cdef tuple KEY_TYPES = (
    (bool, "bool"), (int, "int"), (float, "float"), (complex, "complex"), (str, "str"),
)


cdef int write_array(JsonBuffer out, value) except -1:
    cdef Py_ssize_t index = 0
    out.write(b"[")
    for element in value:
        if index > 0:
            out.write(b",")
        write_below(out, index, element)
        index += 1
    return out.write(b"]")


cdef int write_members(JsonBuffer out, dict members) except -1:
    cdef bint first = True
    out.write(b"{")
    for key, value in members.items():
        out.write(b"" if first else b",")
        first = False
        out.write_string(key)
        out.write(b":")
        write_below(out, key, value)
    return out.write(b"}")


cdef int write_dict(JsonBuffer out, dict value) except -1:
    cdef str key_type = key_type_of(out, value)
    cdef bint first = True
    out.write(b'{"type":"generic_dict",')
    if key_type == "str":
        out.write(b'"value":')
        write_members(out, value)
        return out.write(b"}")
    out.write(b'"key_type":')
    out.write_string(key_type)
    out.write(b',"value":[')
    for key, element in value.items():
        out.write(b"[" if first else b",[")
        first = False
        write_key(out, key)
        out.write(b",")
        write_below(out, key, element)
        out.write(b"]")
    return out.write(b"]}")


cdef int write_key(JsonBuffer out, value) except -1:
    """A number, boolean or tensor as a key: plain JSON where that is possible."""
    cdef double[2] parts
    if isinstance(value, out.encoder.tensor_type):
        return write_tensor(out, value)
    if value is True or value is False:
        return out.write(b"true" if value else b"false")
    if isinstance(value, int):
        out.writer.write_integer(out.int64(value))
        return 0
    if isinstance(value, float):
        parts[0] = value
        out.writer.write_numbers(Element.float64, parts, 1)
        return 0
    parts[0] = value.real
    parts[1] = value.imag
    out.write(b"[")
    out.writer.write_numbers(Element.float64, parts, 2)
    return out.write(b"]")


cdef int write_below(JsonBuffer out, key, value) except -1:
    out.path.append(key)
    if len(out.path) > MAX_DEPTH:
        raise out.unsupported(f"nested deeper than {MAX_DEPTH} levels")
    write_value(out, value)
    out.path.pop()
    return 0


cdef str key_type_of(JsonBuffer out, dict value):
    for key in value:
        if isinstance(key, out.encoder.tensor_type):
            return "tensor"
        for key_type, name in KEY_TYPES:
            if isinstance(key, key_type):
                return name
        raise out.unsupported(f"a key of type {type(key).__name__} has no JSON form")
    return declared_key_type(out)


cdef str declared_key_type(JsonBuffer out):
    """What the schema says of the keys of an empty dictionary."""
    spec = unwrapped(out.encoder.spec)
    for part in out.path:
        if spec is None or not spec.parts:
            return "str"
        if spec.kind == "tuple":
            index = spec.names.index(part) if spec.names else part
            spec = unwrapped(spec.parts[index])
        else:
            spec = unwrapped(spec.parts[len(spec.parts) - 1])
    return spec.parts[0].kind if spec is not None and spec.kind == "dict" else "str"


cdef object unwrapped(spec):
    return spec.parts[0] if spec is not None and spec.kind == "optional" else spec
