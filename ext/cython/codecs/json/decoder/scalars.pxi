# Values that are no tensors and hold no others.

cdef object read_scalar(Reader reader, Plan plan, Spot spot):
    """A number of one of the data types that the plan's form can hold."""
    cdef Envelope envelope
    cdef Shape shape
    cdef Spot part
    cdef dict names = SCALARS_OF[plan.form]
    cdef int data_type
    if reader.plain and reader.kind(spot) != Kind.object:
        data_type = names[plain_data_type(reader, plan, spot)]
    else:
        reader.open(spot, &envelope, plan, '"scalar"')
        data_type = read_scalar_type(reader, plan, spot, envelope, names)
        spot = at(envelope.value)
    shape.rank = 0
    shape.count = 1
    if DATA_TYPES[data_type].components == 2:
        if not is_sequence(reader.kind(spot)) or reader.count(spot) != 2:
            raise reader.unexpected(spot, "an array of real and imaginary part")
        part = first_element(reader, spot)
        for _ in range(2):
            if is_container(reader.kind(part)):
                raise reader.unexpected(part, "a number")
            part = next_element(reader, part)
    elif is_container(reader.kind(spot)):
        raise reader.unexpected(spot, "a single number")
    return read_array(reader, spot, shape, data_type).item()


cdef str plain_data_type(Reader reader, Plan plan, Spot spot):
    """The data type of a number without an envelope."""
    cdef Kind kind = reader.kind(spot)
    if plan.form == "complex" and kind == Kind.number:
        return "float"
    if plan.form != "number":
        return WIDEST[plan.form]
    if kind == Kind.boolean:
        return "bool"
    text = text_of(reader.document.raw(start_of(&reader.document, spot)))
    return "int" if text.lstrip("-").isdigit() else "float"


cdef int read_scalar_type(
    Reader reader, Plan plan, Spot spot, const Envelope& envelope, dict names
) except -1:
    if envelope.data_type == ABSENT:
        if plan.form not in WIDEST:
            raise reader.refuse(InvalidInput, spot, "the key `data_type` is missing")
        return names[WIDEST[plan.form]]
    if reader.kind(at(envelope.data_type)) == Kind.string:
        name = reader.string(at(envelope.data_type))
        if name in names:
            return names[name]
        if name in SCALARS:
            raise reader.unexpected(at(envelope.data_type), f"one of {', '.join(names)}")
    came = describe(&reader.document, at(envelope.data_type))
    raise reader.refuse(
        IncompatibleDtype, at(envelope.data_type),
        f"expected one of {', '.join(names)}, got {came}",
    )


cdef object read_float(Reader reader, Plan plan, Spot spot):
    value = read_scalar(reader, plan, spot)
    if type(value) is int and int(float(value)) != value:
        raise reader.refuse(IncompatibleDtype, spot, f"{value} does not fit float64 exactly")
    return float(value)


cdef object read_complex(Reader reader, Plan plan, Spot spot):
    value = read_scalar(reader, plan, spot)
    if type(value) is int and int(float(value)) != value:
        raise reader.refuse(IncompatibleDtype, spot, f"{value} does not fit complex128 exactly")
    return complex(value)


cdef object read_string(Reader reader, Plan plan, Spot spot):
    cdef Envelope envelope
    if reader.plain and reader.kind(spot) == Kind.string:
        return reader.string(spot)
    reader.open(spot, &envelope, plan, '"string"')
    if reader.kind(at(envelope.value)) != Kind.string:
        raise reader.unexpected(at(envelope.value), "a string")
    return reader.string(at(envelope.value))


cdef object read_device(Reader reader, Plan plan, Spot spot):
    name = read_string(reader, plan, spot)
    try:
        return reader.decoder.make.device(name)
    except ValueError as error:
        raise reader.refuse(InvalidInput, spot, str(error)) from None


cdef object read_enum(Reader reader, Plan plan, Spot spot):
    cdef Envelope envelope
    if not (reader.plain and reader.kind(spot) == Kind.string):
        reader.open(spot, &envelope, plan, '"enum"')
        spot = at(envelope.value)
    name = reader.string(spot) if reader.kind(spot) == Kind.string else None
    if name not in plan.names:
        raise reader.unexpected(spot, f"one of {', '.join(plan.names)}")
    return reader.decoder.make.enum(plan.type, name)


cdef object read_none(Reader reader, Plan plan, Spot spot):
    if not is_none(reader, spot):
        raise reader.unexpected(spot, 'null or {"type": "none"}')
    return None


cdef bint is_none(Reader reader, Spot spot) except -1:
    cdef Envelope envelope
    if reader.kind(spot) == Kind.null:
        return True
    if reader.kind(spot) != Kind.object:
        return False
    reader.members(spot, &envelope)
    return reader.type_of(envelope) == Type.none
