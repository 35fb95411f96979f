# The arguments of a method: by position, alone, or by name.

cdef list read_arguments(Reader reader):
    """Positional, an array with one element an argument; bare, a lone argument; or by name.

    Values without envelopes count where no reading fits with all of them.
    """
    cdef int64_t bytes_left = reader.bytes_left
    if reader.kind(at(0)) == Kind.object and is_named(reader):
        reader.plain = True
        return read_members(reader)
    try:
        return read_enveloped(reader)
    except InvalidJson:
        raise
    except ServingError as error:
        if not reader.lacking:
            raise
        problem = error
    reader.bytes_left = bytes_left
    return read_plain(reader, problem)


cdef bint is_named(Reader reader) except -1:
    """Whether the keys of the body are names of arguments, and not those of an envelope."""
    cdef tuple arguments = reader.decoder.arguments
    if not reader.has_type(at(0)):
        return True
    if not reader.decoder.named_type:
        return False
    names = {argument.name for argument in arguments}
    if not names.issuperset(members_of(reader, at(0))):
        return False
    if len(arguments) > 1:
        return True
    return (<Argument>arguments[0]).spec.kind in NEVER_NONE or not is_none(reader, at(0))


cdef list read_members(Reader reader):
    """An object without `type`: arguments by name, or the members of the only one."""
    cdef Argument only
    cdef list furthest
    cdef int64_t bytes_left = reader.bytes_left
    if not reader.decoder.takes_members:
        return read_named(reader)
    only = reader.decoder.arguments[0]
    try:
        return read_named(reader)
    except InvalidJson:
        raise
    except ServingError as error:
        furthest = [place_of(reader), error]
    reader.bytes_left = bytes_left
    values = None
    if only.name not in members_of(reader, at(0)):
        values = attempt(reader, True, furthest)
    if values is None:
        raise furthest[1]
    return values


cdef list read_enveloped(Reader reader):
    cdef tuple arguments = reader.decoder.arguments
    cdef Node root = reader.document.node(0)
    cdef Argument only
    cdef ValueRef rejected_at
    cdef int64_t bytes_left
    if len(arguments) != 1:
        return read_positional(reader)
    only = arguments[0]
    if not is_sequence(root.kind):
        return [read_argument(reader, only, at(0))]
    if not only.spec.is_sequence():
        return read_positional(reader)
    if root.count == 0:
        return [] if not only.required else [read_argument(reader, only, at(0))]
    if root.count > 1:
        return [read_argument(reader, only, at(0))]
    bytes_left = reader.bytes_left
    # `[X]`: the outer array if X fits the argument's type, else the argument itself
    try:
        return read_positional(reader)
    except InvalidJson:
        raise
    except ServingError as error:
        outer = error
        rejected_at = reader.rejected_at
    reader.bytes_left = bytes_left
    try:
        return [read_argument(reader, only, at(0))]
    except InvalidJson:
        raise
    except ServingError:
        # the reading that went wrong deeper down is the one that was meant
        if depth_of(reader, reader.rejected_at) > depth_of(reader, rejected_at):
            raise
        reader.rejected_at = rejected_at
        raise outer


cdef list read_plain(Reader reader, object problem):
    """Read a body in which values stand without envelopes, if one reading fits; else raise.

    `problem` is the error of the reading in which all values have envelopes.
    """
    cdef bint one = len(reader.decoder.arguments) == 1
    cdef bint listed = is_sequence(reader.kind(at(0)))
    cdef int64_t bytes_left = reader.bytes_left
    cdef list furthest = [place_of(reader), problem]
    reader.plain = True
    if not (one and listed and reader.count(at(0)) <= 1):
        values = attempt(reader, one, furthest)
    else:
        alone = attempt(reader, True, furthest) is not None  # not kept: there may be many values
        reader.bytes_left = bytes_left
        values = attempt(reader, False, furthest)
        if alone and values is not None:
            raise reader.error_at(InvalidInput, first_element(reader, at(0)), in_doubt(reader))
        if alone:
            reader.bytes_left = bytes_left
            values = attempt(reader, True, furthest)
    if values is None:
        if reader.kind(at(0)) == Kind.string:
            furthest[1].detail += hints.of_string(quote(&reader.document, at(0)))
        raise furthest[1]
    return values


cdef list attempt(Reader reader, bint bare, list furthest):
    """Read the body as the lone argument or as the list of arguments; None if it does not fit."""
    try:
        if bare:
            return [read_argument(reader, reader.decoder.arguments[0], at(0))]
        return read_positional(reader)
    except (InvalidJson, BodyTooLarge):
        raise
    except ServingError as error:
        place = place_of(reader)
        # a shape that is not as declared says more than that an envelope lacks
        if place > furthest[0] or (place == furthest[0] and isinstance(error, IncompatibleShape)):
            furthest[:] = place, error
    return None


cdef tuple place_of(Reader reader):
    """Where the latest error is: how deep, and how far behind in the text."""
    cdef ValueRef ref = reader.rejected_at
    return depth_of(reader, ref), ref.node, ref.element


cdef str in_doubt(Reader reader):
    """Say that two readings fit, and which bodies have one only."""
    cdef Argument only = reader.decoder.arguments[0]
    start = reader.text[:min(reader.length, HINT_BYTES)]
    return hints.two_readings(only.name, only.spec.type, start, reader.length > HINT_BYTES)


cdef int depth_of(Reader reader, ValueRef ref) noexcept:
    return depth_below(&reader.document, at(0), ref)


cdef list read_positional(Reader reader):
    cdef tuple arguments = reader.decoder.arguments
    cdef ValueRef element = first_element(reader, at(0))
    cdef Py_ssize_t i
    cdef list values = []
    if not is_sequence(reader.kind(at(0))):
        raise reader.unexpected(at(0), f"an array of {expected_count(reader.decoder)}")
    if not reader.decoder.required <= reader.count(at(0)) <= len(arguments):
        reader.lacking |= may_be_numbers(reader)
        raise reader.error_at(
            InvalidInput, at(0),
            f"expected {expected_count(reader.decoder)}, got {reader.count(at(0))}",
        )
    for i in range(reader.count(at(0))):
        values.append(read_argument(reader, arguments[i], element))
        element = next_element(reader, element)
    return values


cdef bint may_be_numbers(Reader reader) noexcept:
    """Whether the body, an array, may be a tensor without an envelope."""
    cdef ValueRef element = first_element(reader, at(0))
    for _ in range(reader.count(at(0))):
        if reader.kind(element) == Kind.object:
            return False
        element = next_element(reader, element)
    return reader.count(at(0)) > 0


cdef list read_named(Reader reader):
    """An object keyed by argument name; arguments that are left out take their defaults."""
    cdef Argument argument
    cdef dict members = members_of(reader, at(0))
    cdef list values = []
    names = {argument.name for argument in reader.decoder.arguments}
    for name in members:
        if name not in names:
            raise reader.error_at(
                InvalidInput, at(members[name]),
                f"unknown argument; expected {expected_count(reader.decoder)}"
                + hints.unknown_argument(name, names, required_names(reader.decoder)),
            )
    for argument in reader.decoder.arguments:
        if argument.name in members:
            values.append(read_argument(reader, argument, at(members[argument.name])))
        elif argument.required:
            raise reader.error_at(
                InvalidInput, at(0), f"argument `{argument.name}`: {argument.spec.type} is missing"
            )
        else:
            values.append(argument.default)
    return values


cdef list required_names(Decoder decoder):
    return [argument.name for argument in decoder.arguments if argument.required]


cdef str expected_count(Decoder decoder):
    cdef Argument argument
    signature = ", ".join(
        [f"{argument.name}: {argument.spec.type}" for argument in decoder.arguments]
    )
    most = len(decoder.arguments)
    count = f"{most}" if most == decoder.required else f"{decoder.required} to {most}"
    return f"{count} argument{'' if count == '1' else 's'} ({signature})"


cdef object read_argument(Reader reader, Argument argument, ValueRef ref):
    reader.argument = argument
    value = read(reader, argument.spec, ref)
    reader.argument = None
    return value
