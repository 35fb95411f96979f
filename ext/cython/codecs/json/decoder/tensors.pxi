# Tensors: their shapes and data types, their numbers into the memory of an array, and images.

cdef object read_tensor(Reader reader, TypeSpec spec, ValueRef ref):
    cdef Envelope envelope
    cdef Shape shape
    cdef int data_type = spec.plain_type
    if reader.plain and reader.kind(ref) != Kind.object:
        raise_located(reader, measure_at(reader, ref, &shape), data_type)
        if DATA_TYPES[data_type].components == 2:
            apply_pairs(reader, ref, &shape)
        if spec.rank >= 0:
            check_shape(reader, spec, ref, shape)
        return make_tensor(reader, ref, shape, data_type)
    if reader.open(ref, &envelope, spec, '"tensor" or "image"') == Type.image:
        return read_image(reader, spec, ref, envelope)
    data_type = spec.default_type
    if envelope.data_type != ABSENT:
        data_type = read_data_type(reader, envelope.data_type)
        check_data_type(reader, spec, envelope.data_type, data_type)
    raise_located(reader, measure(reader.document, envelope.value, &shape), data_type)
    if DATA_TYPES[data_type].components == 2:
        apply_pairs(reader, at(envelope.value), &shape)
    if envelope.shape != ABSENT:
        apply_shape(reader, envelope, &shape)
    if spec.rank >= 0:
        check_shape(reader, spec, at(envelope.value), shape)
    return make_tensor(reader, at(envelope.value), shape, data_type)


cdef int check_data_type(Reader reader, TypeSpec spec, NodeId node, int data_type) except -1:
    """Check the data type of a tensor against the one that is declared."""
    if spec.constraint is None:
        return 0
    problem = spec.constraint.type_problem(NAMES[data_type])
    if problem:
        raise reader.error_at(IncompatibleDtype, at(node), problem)
    return 0


cdef int check_shape(Reader reader, TypeSpec spec, ValueRef ref, const Shape& shape) except -1:
    """Check the shape of a tensor against the one that is declared."""
    cdef bint holds = shape.rank == spec.rank
    cdef int i
    for i in range(shape.rank if holds else 0):
        holds = holds and spec.least[i] <= shape.dims[i] <= spec.most[i]
    if holds:
        return 0
    problem = spec.constraint.shape_problem([shape.dims[i] for i in range(shape.rank)])
    raise reader.error_at(IncompatibleShape, ref, problem)


cdef LocatedError measure_at(Reader reader, ValueRef ref, Shape* shape) noexcept:
    cdef LocatedError located
    if ref.element < 0:
        return measure(reader.document, ref.node, shape)
    shape.rank = 0
    shape.count = 1
    located.error = Error.none
    return located


cdef int read_data_type(Reader reader, NodeId node) except -1:
    cdef int data_type = -1
    if reader.document.node(node).kind == Kind.string:
        data_type = find_data_type(reader.document.string(reader.document.start(node, -1)))
    if data_type < 0:
        actual = describe(&reader.document, at(node))
        raise reader.error_at(
            IncompatibleDtype, at(node), f"expected one of {', '.join(NAMES)}, got {actual}"
        )
    return data_type


cdef int apply_pairs(Reader reader, ValueRef value, Shape* measured) except -1:
    """Turn the shape of real and imaginary parts into one of complex numbers.

    Flat values interleave them; nested ones hold them in innermost arrays of two.
    """
    cdef bint flat = measured.rank == 1
    cdef int last = measured.rank - 1
    if measured.rank == 0 or measured.dims[last] % 2 or (not flat and measured.dims[last] != 2):
        raise reader.error_at(
            IncompatibleShape, value, "expected pairs of real and imaginary part"
        )
    measured.count //= 2
    if flat:
        measured.dims[0] //= 2
    else:
        measured.rank = last
    return 0


cdef int apply_shape(Reader reader, const Envelope& envelope, Shape* measured) except -1:
    """Check the declared shape against the values, and use it."""
    cdef Shape declared
    cdef int i
    cdef bint flat = reader.document.node(envelope.value).kind == Kind.run
    raise_located(reader, read_shape(&reader.document, envelope.shape, &declared), FLOAT32)
    if declared.count != measured.count:
        raise reader.error_at(
            IncompatibleShape, at(envelope.shape),
            f"shape {list_of(declared)} holds {declared.count} numbers, "
            f"`value` has {measured.count}",
        )
    if not flat:
        same = declared.rank == measured.rank
        for i in range(declared.rank if same else 0):
            same = same and declared.dims[i] == measured.dims[i]
        if not same:
            raise reader.error_at(
                IncompatibleShape, at(envelope.shape),
                f"shape {list_of(declared)} differs from {list_of(measured[0])}, "
                "the nesting of `value`",
            )
    measured[0] = declared
    return 0


cdef object make_tensor(Reader reader, ValueRef ref, const Shape& shape, int data_type):
    array = read_array(reader, ref, shape, data_type)
    if data_type == BFLOAT16:
        return reader.decoder.factory.bfloat16(array)
    return reader.decoder.factory.tensor(array)


cdef cnp.ndarray read_array(Reader reader, ValueRef ref, const Shape& shape, int data_type):
    """Decode numbers into a new array of their final type and shape."""
    cdef cnp.npy_intp[32] dims
    cdef int i
    cdef LocatedError located
    cdef Reading reading
    cdef Element element = DATA_TYPES[data_type].element
    for i in range(shape.rank):
        dims[i] = shape.dims[i]
    cdef cnp.ndarray array = cnp.PyArray_SimpleNew(shape.rank, dims, TYPENUMS[data_type])
    cdef void* data = cnp.PyArray_DATA(array)
    cdef size_t item_bytes = cnp.PyArray_ITEMSIZE(array) // DATA_TYPES[data_type].components
    if ref.element >= 0:
        reading = read_numbers(
            &reader.document, reader.document.node(ref.node).token + 1 + 2 * ref.element, 1,
            element, data,
        )
        located.error = reading.error
        located.node = ref.node
        located.element = ref.element
    elif shape.count < READ_WITHOUT_GIL:
        located = read_values(&reader.document, ref.node, element, item_bytes, data)
    else:
        with nogil:
            located = read_values(&reader.document, ref.node, element, item_bytes, data)
    raise_located(reader, located, data_type)
    return array


cdef int raise_located(Reader reader, const LocatedError& located, int data_type) except -1:
    """Raise the error of a shape or of numbers, if there is one."""
    cdef ValueRef ref
    if located.error == Error.none:
        return 0
    if located.error == Error.bad_number:
        reader.validate()  # finds the same number, and its byte
    ref = at(located.node, located.element)
    actual = describe(&reader.document, ref)
    kind = SHAPE_ERRORS.get(<int>located.error)
    if kind is not None:
        raise reader.error_at(kind, ref, f"{text_of(message(located.error))}, got {actual}")
    name = NAMES[data_type]
    if located.error == Error.not_integer and reader.kind(ref) == Kind.number:
        problem = f"{quote(&reader.document, ref)} does not fit {name}: it is not a whole number"
    elif reader.kind(ref) == Kind.number:
        problem = f"{quote(&reader.document, ref)} does not fit {name} ({RANGES[name]})"
    else:
        problem = f"expected a number that fits {name} ({RANGES[name]}), got {actual}"
        problem += hints.of_no_number(quote(&reader.document, ref))
    raise reader.error_at(IncompatibleDtype, ref, problem)


cdef dict SHAPE_ERRORS = {
    <int>Error.not_shape: InvalidInput,
    <int>Error.ragged: IncompatibleShape,
    <int>Error.bad_dimension: IncompatibleShape,
    <int>Error.shape_overflow: IncompatibleShape,
    <int>Error.too_many_dimensions: IncompatibleShape,
}


cdef object read_image(Reader reader, TypeSpec spec, ValueRef ref, const Envelope& envelope):
    """Decode an image into a tensor of its pixels."""
    cdef int data_type = UINT8
    factory = reader.decoder.factory
    if spec.constraint is not None and spec.constraint.data_type:
        data_type = spec.default_type
    if envelope.data_type != ABSENT:
        data_type = read_data_type(reader, envelope.data_type)
        check_data_type(reader, spec, envelope.data_type, data_type)
    if factory.image is None:
        raise reader.error_at(InvalidInput, ref, "this server takes no images")
    encoded = choice(reader, envelope.value, None)
    mode = choice(reader, envelope.mode, "RGB") if envelope.mode != ABSENT else "RGB"
    layout = choice(reader, envelope.layout, "CHW") if envelope.layout != ABSENT else "CHW"
    batch = spec.rank == 4
    if envelope.batch != ABSENT:
        if reader.kind(at(envelope.batch)) != Kind.boolean:
            raise reader.unexpected(at(envelope.batch), "true or false")
        batch = quote(&reader.document, at(envelope.batch)) == "true"
    try:
        pixels = factory.image(encoded, mode, layout, batch, NAMES[data_type])
    except ValueError as error:
        raise reader.error_at(InvalidInput, at(envelope.value), str(error)) from None
    if spec.rank >= 0:
        problem = spec.constraint.shape_problem(pixels.shape)
        if problem:
            raise reader.error_at(IncompatibleShape, ref, problem)
    return factory.tensor(pixels)


cdef str choice(Reader reader, NodeId node, str example):
    if reader.kind(at(node)) != Kind.string:
        raise reader.unexpected(at(node), f'a string as "{example}"' if example else "a string")
    return reader.string(at(node))
