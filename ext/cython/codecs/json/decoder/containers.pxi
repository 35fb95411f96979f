# Containers, and types that allow more than one kind of value.

cdef object read_optional(Reader reader, TypeSpec spec, ValueRef ref):
    return None if is_none(reader, ref) else read(reader, spec.parts[0], ref)


cdef object read_union(Reader reader, TypeSpec spec, ValueRef ref):
    """Read the first part that fits; `1.0` is an integer only where no part takes a float."""
    cdef int64_t bytes_left = reader.bytes_left
    if reader.exact:
        return read_first(reader, spec, ref)
    reader.exact = True
    reader.broken = False
    try:
        return read_first(reader, spec, ref)
    except InvalidJson:
        raise
    except ServingError:
        if not reader.broken:
            raise
    finally:
        reader.exact = False
    reader.bytes_left = bytes_left
    return read_first(reader, spec, ref)


cdef object read_first(Reader reader, TypeSpec spec, ValueRef ref):
    """Read the first part that fits; else raise the error of the part that came furthest.

    An integer that is too large does not become a float.
    """
    cdef int depth, furthest = -1
    cdef bint out_of_range
    cdef ValueRef rejected_at = ref
    cdef int64_t bytes_left = reader.bytes_left
    reader.attempts += 1
    try:
        for part in spec.parts:
            reader.rejected_at = ref
            reader.bytes_left = bytes_left
            reader.out_of_range = False
            try:
                return read(reader, part, ref)
            except InvalidJson:
                raise
            except ServingError as error:
                depth = depth_below(&reader.document, ref, reader.rejected_at)
                if isinstance(error, BodyTooLarge):
                    depth = MAX_DEPTH  # it fits, but for its size
                out_of_range = reader.out_of_range and part.kind in ("int", "optional", "union")
                if depth > furthest or out_of_range:
                    furthest, rejected_at, meant, problem = depth, reader.rejected_at, part, error
                if out_of_range:
                    break  # as a float it would lose digits
    finally:
        reader.attempts -= 1
    if reader.attempts:
        reader.rejected_at = rejected_at
        raise problem
    reader.bytes_left = bytes_left
    return read(reader, meant, ref)  # raises again, now with a message


cdef object read_list(Reader reader, TypeSpec spec, ValueRef ref):
    cdef Envelope envelope
    cdef TypeSpec part = spec.parts[0]
    if reader.kind(ref) == Kind.object and part.kind == "tensor":
        reader.open(ref, &envelope, spec, '"tensor_list"')
        ref = at(envelope.value)
    if not is_sequence(reader.kind(ref)):
        raise reader.unexpected(ref, f"an array for {spec.type}")
    return read_elements(reader, part, ref)


cdef list read_elements(Reader reader, TypeSpec part, ValueRef array):
    cdef ValueRef element = first_element(reader, array)
    cdef list values = []
    cdef uint32_t count = reader.count(array)
    if count == 0:
        return values
    values.append(read(reader, part, element))
    reader.take(part.value_bytes, array)  # now that it is known to hold such values
    for _ in range(count - 1):
        element = next_element(reader, element)
        values.append(read(reader, part, element))
    return values


cdef object read_tuple(Reader reader, TypeSpec spec, ValueRef ref):
    cdef Envelope envelope
    cdef ValueRef element
    cdef list values = []
    if spec.names and reader.kind(ref) == Kind.object:
        if not reader.plain or reader.is_envelope(ref, '"named_tuple"', spec.names):
            reader.open(ref, &envelope, spec, '"named_tuple"')
            ref = at(envelope.value)
        return read_fields(reader, spec, ref)
    if reader.kind(ref) == Kind.object and is_list_of_tensors(spec):
        reader.open(ref, &envelope, spec, '"tensor_list"')
        ref = at(envelope.value)
    if not is_sequence(reader.kind(ref)):
        raise reader.unexpected(ref, f"an array for {spec.type}")
    if reader.count(ref) != len(spec.parts):
        raise reader.error_at(
            InvalidInput, ref, f"expected {len(spec.parts)} elements, got {reader.count(ref)}"
        )
    element = first_element(reader, ref)
    for part in spec.parts:
        values.append(read(reader, part, element))
        element = next_element(reader, element)
    return tuple(values)


cdef bint is_list_of_tensors(TypeSpec spec):
    return len(spec.parts) > 0 and all([(<TypeSpec>part).kind == "tensor" for part in spec.parts])


cdef tuple read_fields(Reader reader, TypeSpec spec, ValueRef ref):
    """Read the fields of a named tuple by name: each exactly once."""
    if reader.kind(ref) != Kind.object:
        raise reader.unexpected(ref, f"an object with the fields {', '.join(spec.names)}")
    members = members_of(reader, ref)
    check_members(reader, ref, members, spec.fields, "fields")
    return tuple(
        [read_member(reader, part, members.get(name)) for name, part in spec.fields.items()]
    )


cdef int check_members(
    Reader reader, ValueRef ref, dict members, dict known, str what
) except -1:
    """Refuse an object that lacks a member, or has one that is not known."""
    if members.keys() == known.keys():
        return 0
    missing = [
        name for name in known if name not in members and (<TypeSpec>known[name]).kind != "constant"
    ]
    if missing or members.keys() - known.keys():
        raise reader.error_at(
            InvalidInput, ref,
            f"expected the {what} {', '.join(known)}, got {', '.join(members)[:200] or 'none'}",
        )
    return 0


cdef object read_member(Reader reader, TypeSpec spec, node):
    """Read a member; a constant may be left out."""
    return spec.value if node is None else read(reader, spec, at(node))


cdef object read_dict(Reader reader, TypeSpec spec, ValueRef ref):
    cdef Envelope envelope
    cdef TypeSpec keys = spec.parts[0]
    cdef TypeSpec values = spec.parts[1]
    names = '"generic_dict" or "tensor_dict"' if values.kind == "tensor" else '"generic_dict"'
    if not reader.plain or (
        reader.kind(ref) == Kind.object and reader.is_envelope(ref, names)
    ):
        reader.open(ref, &envelope, spec, names)
        check_key_type(reader, envelope, keys, ref)
        ref = at(envelope.value)
    if keys.kind == "str" and reader.kind(ref) == Kind.object:
        reader.take(values.value_bytes, ref)
        members = members_of(reader, ref)
        if spec.closed:
            check_members(reader, ref, members, spec.members, "keys")
            return {
                key: read_member(reader, part, members.get(key))
                for key, part in spec.members.items()
            }
        if spec.members:
            return {
                key: read(reader, spec.members.get(key, values), at(members[key]))
                for key in members
            }
        return {key: read(reader, values, at(members[key])) for key in members}
    if keys.kind == "str" or not is_sequence(reader.kind(ref)):
        wanted = "an object" if keys.kind == "str" else "an array of [key, value] pairs"
        raise reader.unexpected(ref, f"{wanted} for {spec.type}")
    return read_pairs(reader, keys, values, ref)


cdef int check_key_type(
    Reader reader, const Envelope& envelope, TypeSpec keys, ValueRef ref
) except -1:
    if envelope.key_type == ABSENT:
        if keys.kind != "str":
            raise reader.error_at(
                InvalidInput, ref, f'the key `key_type` is missing; expected "{keys.kind}"'
            )
    elif (
        reader.kind(at(envelope.key_type)) != Kind.string
        or reader.string(at(envelope.key_type)) != keys.kind
    ):
        raise reader.unexpected(at(envelope.key_type), f'"{keys.kind}"')
    return 0


cdef dict read_pairs(Reader reader, TypeSpec keys, TypeSpec values, ValueRef ref):
    """Read an array of [key, value] pairs; keys are plain JSON."""
    cdef dict result = {}
    cdef bint plain = reader.plain
    cdef ValueRef pair = first_element(reader, ref)
    cdef ValueRef key_ref
    reader.take(MEMBER_BYTES + keys.value_bytes + values.value_bytes, ref)
    for _ in range(reader.count(ref)):
        if not is_sequence(reader.kind(pair)) or reader.count(pair) != 2:
            raise reader.unexpected(pair, "a pair [key, value]")
        key_ref = first_element(reader, pair)
        reader.plain = True
        try:
            key = read(reader, keys, key_ref)
        finally:  # another reading may follow a failed one
            reader.plain = plain
        if key in result:
            raise reader.error_at(InvalidInput, key_ref, "this key stands twice")
        result[key] = read(reader, values, next_element(reader, key_ref))
        pair = next_element(reader, pair)
    return result


cdef TypeSpec ANY = TypeSpec("any", "Any")
cdef dict SPEC_OF = {
    <int>Type.tensor: TypeSpec("tensor", "Any"),
    <int>Type.image: TypeSpec("tensor", "Any"),
    <int>Type.tensor_list: TypeSpec("list", "Any", TypeSpec("tensor", "Any")),
    <int>Type.tensor_dict: TypeSpec(
        "dict", "Any", TypeSpec("str", "Any"), TypeSpec("tensor", "Any"),
    ),
    <int>Type.scalar: TypeSpec("number", "Any"),
    <int>Type.string: TypeSpec("str", "Any"),
}


cdef object read_any(Reader reader, TypeSpec spec, ValueRef ref):
    """Read a value whose type only its envelope says."""
    cdef Envelope envelope
    cdef Type kind
    if is_none(reader, ref):
        return None
    if is_sequence(reader.kind(ref)):
        return read_elements(reader, spec, ref)
    if reader.kind(ref) != Kind.object:
        raise reader.unexpected(ref, "an envelope, an array or null for Any")
    reader.members(ref, &envelope)
    kind = reader.type_of(envelope)
    if kind == Type.generic_dict:
        keys = "str"
        if envelope.key_type != ABSENT:
            keys = choice(reader, envelope.key_type, "int")
            if keys not in ("str", "int", "float", "bool", "complex", "tensor"):
                raise reader.unexpected(at(envelope.key_type), "a type of keys")
        return read_dict(reader, TypeSpec("dict", "Any", TypeSpec(keys, keys), ANY), ref)
    if <int>kind not in SPEC_OF:
        if envelope.type == ABSENT:
            raise reader.error_at(InvalidInput, ref, "the key `type` is missing")
        raise reader.unexpected(at(envelope.type), "a type that needs no schema, for Any")
    return read(reader, SPEC_OF[<int>kind], ref)
