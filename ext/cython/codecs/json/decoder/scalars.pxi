# Scalars, strings, devices, enumerations and none.

cdef object read_scalar(Reader reader, TypeSpec spec, ValueRef ref):
    """Read a number of one of the data types that the kind allows."""
    cdef Envelope envelope
    cdef Shape shape
    cdef ValueRef part
    cdef dict names = SCALARS_OF[spec.kind]
    cdef int data_type
    cdef bint exact = reader.exact
    if reader.plain and reader.kind(ref) != Kind.object:
        data_type = names[plain_data_type(reader, spec, ref)]
    else:
        reader.open(ref, &envelope, spec, '"scalar"')
        data_type = read_scalar_type(reader, spec, ref, envelope, names)
        ref = at(envelope.value)
        exact = exact and envelope.data_type == ABSENT
    if exact:
        refuse_broken(reader, spec, ref)
    shape.rank = 0
    shape.count = 1
    if DATA_TYPES[data_type].components == 2:
        if not is_sequence(reader.kind(ref)) or reader.count(ref) != 2:
            raise reader.unexpected(ref, "an array of real and imaginary part")
        part = first_element(reader, ref)
        for _ in range(2):
            if is_container(reader.kind(part)):
                raise reader.unexpected(part, "a number")
            part = next_element(reader, part)
    elif is_container(reader.kind(ref)):
        raise reader.unexpected(ref, "a single number")
    reader.out_of_range = exact and spec.kind == "int" and is_integer(reader, ref)
    value = read_array(reader, ref, shape, data_type).item()
    reader.out_of_range = False
    return value


cdef int refuse_broken(Reader reader, TypeSpec spec, ValueRef ref) except -1:
    """In a union, a number that is written with a point or an exponent is no integer at first."""
    if spec.kind not in ("int", "bool") or reader.kind(ref) != Kind.number:
        return 0
    if is_whole(reader, ref):
        return 0
    reader.broken = True
    raise reader.error_at(IncompatibleDtype, ref, "")


cdef bint is_integer(Reader reader, ValueRef ref):
    return reader.kind(ref) == Kind.number and is_whole(reader, ref)


cdef bint is_whole(Reader reader, ValueRef ref):
    """Whether a number is written with digits only."""
    return text_of(reader.document.raw(start_of(&reader.document, ref))).lstrip("-").isdigit()


cdef str plain_data_type(Reader reader, TypeSpec spec, ValueRef ref):
    """The data type of a number without an envelope."""
    cdef Kind kind = reader.kind(ref)
    if spec.kind == "complex" and kind == Kind.number:
        return "float"
    if spec.kind != "number":
        return WIDEST[spec.kind]
    if kind == Kind.boolean:
        return "bool"
    return "int" if is_whole(reader, ref) else "float"


cdef int read_scalar_type(
    Reader reader, TypeSpec spec, ValueRef ref, const Envelope& envelope, dict names
) except -1:
    if envelope.data_type == ABSENT:
        if spec.kind not in WIDEST:
            raise reader.error_at(InvalidInput, ref, "the key `data_type` is missing")
        return names[WIDEST[spec.kind]]
    if reader.kind(at(envelope.data_type)) == Kind.string:
        name = reader.string(at(envelope.data_type))
        if name in names:
            return names[name]
        if name in SCALARS:
            raise reader.unexpected(at(envelope.data_type), f"one of {', '.join(names)}")
    actual = describe(&reader.document, at(envelope.data_type))
    raise reader.error_at(
        IncompatibleDtype, at(envelope.data_type),
        f"expected one of {', '.join(names)}, got {actual}",
    )


cdef object read_float(Reader reader, TypeSpec spec, ValueRef ref):
    value = read_scalar(reader, spec, ref)
    if type(value) is int and int(float(value)) != value:
        raise reader.error_at(IncompatibleDtype, ref, f"{value} does not fit float64 exactly")
    return float(value)


cdef object read_complex(Reader reader, TypeSpec spec, ValueRef ref):
    value = read_scalar(reader, spec, ref)
    if type(value) is int and int(float(value)) != value:
        raise reader.error_at(IncompatibleDtype, ref, f"{value} does not fit complex128 exactly")
    return complex(value)


cdef object read_string(Reader reader, TypeSpec spec, ValueRef ref):
    cdef Envelope envelope
    if reader.plain and reader.kind(ref) == Kind.string:
        return reader.string(ref)
    reader.open(ref, &envelope, spec, '"string"')
    if reader.kind(at(envelope.value)) != Kind.string:
        raise reader.unexpected(at(envelope.value), "a string")
    return reader.string(at(envelope.value))


cdef object read_device(Reader reader, TypeSpec spec, ValueRef ref):
    name = read_string(reader, spec, ref)
    try:
        return reader.decoder.factory.device(name)
    except ValueError as error:
        raise reader.error_at(InvalidInput, ref, str(error)) from None


cdef object read_enum(Reader reader, TypeSpec spec, ValueRef ref):
    cdef Envelope envelope
    if not (reader.plain and reader.kind(ref) == Kind.string):
        reader.open(ref, &envelope, spec, '"enum"')
        ref = at(envelope.value)
    name = reader.string(ref) if reader.kind(ref) == Kind.string else None
    if name not in spec.names:
        raise reader.unexpected(ref, f"one of {', '.join(spec.names)}")
    return reader.decoder.factory.enum(spec.type, name)


cdef object read_none(Reader reader, TypeSpec spec, ValueRef ref):
    if not is_none(reader, ref):
        raise reader.unexpected(ref, 'null or {"type": "none"}')
    return None


cdef bint is_none(Reader reader, ValueRef ref) except -1:
    cdef Envelope envelope
    if reader.kind(ref) == Kind.null:
        return True
    if reader.kind(ref) != Kind.object:
        return False
    reader.members(ref, &envelope)
    if reader.type_of(envelope) != Type.none:
        return False
    reader.check_keys(ref, envelope, Type.none)
    if envelope.value != ABSENT and reader.kind(at(envelope.value)) != Kind.null:
        raise reader.unexpected(at(envelope.value), "null, or no value, with the type none")
    return True


cdef object read_constant(Reader reader, TypeSpec spec, ValueRef ref):
    """Read a value that may only be one: whatever else comes is told what it must be."""
    try:
        value = read(reader, spec.parts[0], ref)
    except InvalidJson:
        raise
    except ServingError:
        pass
    else:
        if is_constant(value, spec.value):
            return spec.value
    raise reader.unexpected(ref, expected_constant(spec.value))
