# The arguments of a method: by position, alone, or by name.

cdef list read_arguments(Reader reader):
    """Positional, an array with one element an argument; bare, a lone argument; or by name."""
    cdef tuple arguments = reader.decoder.arguments
    cdef Node root = reader.document.node(0)
    cdef Argument only
    cdef int depth
    cdef int64_t bytes_left
    if root.kind == Kind.object and not reader.has_type(at(0)):
        reader.plain = True
        return read_named(reader)
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
        depth = depth_below(&reader.document, at(0), reader.rejected_at)
    reader.bytes_left = bytes_left
    try:
        return [read_argument(reader, only, at(0))]
    except InvalidJson:
        raise
    except ServingError:
        # the reading that went wrong deeper down is the one that was meant
        if depth_below(&reader.document, at(0), reader.rejected_at) > depth:
            raise
        raise outer


cdef list read_positional(Reader reader):
    cdef tuple arguments = reader.decoder.arguments
    cdef ValueRef element = first_element(reader, at(0))
    cdef Py_ssize_t i
    cdef list values = []
    if not is_sequence(reader.kind(at(0))):
        raise reader.unexpected(at(0), f"an array of {expected_count(reader.decoder)}")
    if not reader.decoder.required <= reader.count(at(0)) <= len(arguments):
        raise reader.error_at(
            InvalidInput, at(0),
            f"expected {expected_count(reader.decoder)}, got {reader.count(at(0))}",
        )
    for i in range(reader.count(at(0))):
        values.append(read_argument(reader, arguments[i], element))
        element = next_element(reader, element)
    return values


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
                f"unknown argument; expected {expected_count(reader.decoder)}",
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
