# A value of any type, numbers and envelopes.

cdef int write_value(JsonBuffer out, value) except -1:
    if out.plain:
        return write_plain(out, value)
    if isinstance(value, out.encoder.tensor_type):
        return write_tensor(out, value)
    if value is True or value is False:
        return out.write(b'{"type":"scalar","data_type":"bool","value":%s}' % (
            b"true" if value else b"false"
        ))
    if isinstance(value, int):
        return write_int(out, value)
    if isinstance(value, float):
        return write_float(out, value)
    if isinstance(value, str):
        out.write(b'{"type":"string","value":')
        out.write_string(value)
        return out.write(b"}")
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return write_named_tuple(out, value)
    if isinstance(value, (list, tuple)):
        return write_array(out, value)
    if isinstance(value, dict):
        return write_dict(out, value)
    if value is None:
        return out.write(b'{"type":"none"}')
    if isinstance(value, complex):
        out.write(b'{"type":"scalar","data_type":"complex128","value":')
        write_key(out, value)
        return out.write(b"}")
    return write_envelope(out, envelope_of(out, value))


cdef dict envelope_of(JsonBuffer out, value):
    envelope = out.encoder.to_envelope(value) if out.encoder.to_envelope else None
    if envelope is None:
        raise out.unsupported(f"a value of type {type(value).__name__} has no JSON form")
    return envelope


cdef int write_int(JsonBuffer out, value) except -1:
    out.write(b'{"type":"scalar","data_type":"int64","value":')
    out.writer.write_integer(out.int64(value))
    return out.write(b"}")


cdef int write_float(JsonBuffer out, double value) except -1:
    out.write(b'{"type":"scalar","data_type":"float64","value":')
    out.writer.write_numbers(Element.float64, &value, 1)
    return out.write(b"}")


cdef int write_envelope(JsonBuffer out, dict envelope) except -1:
    """A dictionary whose strings stand for themselves, and whose `value` may hold values."""
    cdef bint first = True
    out.write(b"{")
    for key, value in envelope.items():
        out.write(b"" if first else b",")
        first = False
        out.write_string(key)
        out.write(b":")
        if isinstance(value, str):
            out.write_string(value)
        else:
            write_members(out, value)
    return out.write(b"}")


cdef int write_named_tuple(JsonBuffer out, value) except -1:
    return write_envelope(out, {
        "type": "named_tuple",
        "name": type(value).__name__,
        "value": dict(zip(value._fields, value, strict=True)),
    })
