# Values that hold others, and those of more than one type.

cdef object read_optional(Reader reader, Plan plan, Spot spot):
    return None if is_none(reader, spot) else read(reader, plan.parts[0], spot)


cdef object read_union(Reader reader, Plan plan, Spot spot):
    """The first part that fits; if none does, the error of the one that came furthest."""
    cdef int depth, furthest = -1
    cdef Spot failed = spot
    reader.trials += 1
    try:
        for part in plan.parts:
            reader.failed = spot
            try:
                return read(reader, part, spot)
            except InvalidJson:
                raise
            except ServingError as error:
                depth = depth_below(&reader.document, spot, reader.failed)
                if depth > furthest:
                    furthest, failed, meant, problem = depth, reader.failed, part, error
    finally:
        reader.trials -= 1
    if reader.trials:
        reader.failed = failed
        raise problem
    return read(reader, meant, spot)  # which tells what is wrong


cdef object read_list(Reader reader, Plan plan, Spot spot):
    cdef Envelope envelope
    cdef Plan part = plan.parts[0]
    if reader.kind(spot) == Kind.object and part.form == "tensor":
        reader.open(spot, &envelope, plan, '"tensor_list"')
        spot = at(envelope.value)
    if not is_sequence(reader.kind(spot)):
        raise reader.unexpected(spot, f"an array for {plan.type}")
    return read_elements(reader, part, spot)


cdef list read_elements(Reader reader, Plan part, Spot array):
    cdef Spot element = first_element(reader, array)
    cdef list values = []
    for _ in range(reader.count(array)):
        values.append(read(reader, part, element))
        element = next_element(reader, element)
    return values


cdef object read_tuple(Reader reader, Plan plan, Spot spot):
    cdef Envelope envelope
    cdef Spot element
    cdef list values = []
    if plan.names and reader.kind(spot) == Kind.object:
        if not reader.plain or reader.has_type(spot):
            reader.open(spot, &envelope, plan, '"named_tuple"')
            spot = at(envelope.value)
        return read_fields(reader, plan, spot)
    if not is_sequence(reader.kind(spot)):
        raise reader.unexpected(spot, f"an array for {plan.type}")
    if reader.count(spot) != len(plan.parts):
        raise reader.refuse(
            InvalidInput, spot, f"expected {len(plan.parts)} elements, got {reader.count(spot)}"
        )
    element = first_element(reader, spot)
    for part in plan.parts:
        values.append(read(reader, part, element))
        element = next_element(reader, element)
    return tuple(values)


cdef tuple read_fields(Reader reader, Plan plan, Spot spot):
    """The fields of a named tuple, by name: each once, and no other."""
    cdef Py_ssize_t i
    if reader.kind(spot) != Kind.object:
        raise reader.unexpected(spot, f"an object with the fields {', '.join(plan.names)}")
    members = members_of(reader, spot)
    if members.keys() != set(plan.names):
        raise reader.refuse(
            InvalidInput, spot,
            f"expected the fields {', '.join(plan.names)}, got {', '.join(members)[:200]}",
        )
    return tuple(
        [read(reader, plan.parts[i], at(members[name])) for i, name in enumerate(plan.names)]
    )


cdef object read_dict(Reader reader, Plan plan, Spot spot):
    cdef Envelope envelope
    cdef Plan keys = plan.parts[0]
    cdef Plan values = plan.parts[1]
    bare = reader.plain and (reader.kind(spot) != Kind.object or not reader.has_type(spot))
    if not bare:
        names = '"generic_dict" or "tensor_dict"' if values.form == "tensor" else '"generic_dict"'
        reader.open(spot, &envelope, plan, names)
        check_key_type(reader, envelope, keys, spot)
        spot = at(envelope.value)
    if keys.form == "str" and reader.kind(spot) == Kind.object:
        members = members_of(reader, spot)
        return {key: read(reader, values, at(members[key])) for key in members}
    if keys.form == "str" or not is_sequence(reader.kind(spot)):
        wanted = "an object" if keys.form == "str" else "an array of [key, value] pairs"
        raise reader.unexpected(spot, f"{wanted} for {plan.type}")
    return read_pairs(reader, keys, values, spot)


cdef int check_key_type(
    Reader reader, const Envelope& envelope, Plan keys, Spot spot
) except -1:
    if envelope.key_type == ABSENT:
        if keys.form != "str":
            raise reader.refuse(
                InvalidInput, spot, f'the key `key_type` is missing; expected "{keys.form}"'
            )
    elif (
        reader.kind(at(envelope.key_type)) != Kind.string
        or reader.string(at(envelope.key_type)) != keys.form
    ):
        raise reader.unexpected(at(envelope.key_type), f'"{keys.form}"')
    return 0


cdef dict read_pairs(Reader reader, Plan keys, Plan values, Spot spot):
    """An array of [key, value]; keys are plain JSON."""
    cdef dict result = {}
    cdef bint plain = reader.plain
    cdef Spot pair = first_element(reader, spot)
    cdef Spot key_spot
    for _ in range(reader.count(spot)):
        if not is_sequence(reader.kind(pair)) or reader.count(pair) != 2:
            raise reader.unexpected(pair, "a pair [key, value]")
        key_spot = first_element(reader, pair)
        reader.plain = True
        try:
            key = read(reader, keys, key_spot)
        finally:  # another reading may follow a failed one
            reader.plain = plain
        if key in result:
            raise reader.refuse(InvalidInput, key_spot, "this key stands twice")
        result[key] = read(reader, values, next_element(reader, key_spot))
        pair = next_element(reader, pair)
    return result


cdef Plan ANY = Plan("any", "Any")
cdef dict PLAN_OF = {
    <int>Type.tensor: Plan("tensor", "Any"),
    <int>Type.image: Plan("tensor", "Any"),
    <int>Type.tensor_list: Plan("list", "Any", Plan("tensor", "Any")),
    <int>Type.tensor_dict: Plan("dict", "Any", Plan("str", "Any"), Plan("tensor", "Any")),
    <int>Type.scalar: Plan("number", "Any"),
    <int>Type.string: Plan("str", "Any"),
}


cdef object read_any(Reader reader, Plan plan, Spot spot):
    """A value that says itself what it is."""
    cdef Envelope envelope
    cdef Type kind
    if is_none(reader, spot):
        return None
    if is_sequence(reader.kind(spot)):
        return read_elements(reader, plan, spot)
    if reader.kind(spot) != Kind.object:
        raise reader.unexpected(spot, "an envelope, an array or null for Any")
    reader.members(spot, &envelope)
    kind = reader.type_of(envelope)
    if kind == Type.generic_dict:
        keys = "str"
        if envelope.key_type != ABSENT:
            keys = choice(reader, envelope.key_type, "int")
            if keys not in ("str", "int", "float", "bool", "complex", "tensor"):
                raise reader.unexpected(at(envelope.key_type), "a type of keys")
        return read_dict(reader, Plan("dict", "Any", Plan(keys, keys), ANY), spot)
    if <int>kind not in PLAN_OF:
        if envelope.type == ABSENT:
            raise reader.refuse(InvalidInput, spot, "the key `type` is missing")
        raise reader.unexpected(at(envelope.type), "a type that needs no schema, for Any")
    return read(reader, PLAN_OF[<int>kind], spot)
