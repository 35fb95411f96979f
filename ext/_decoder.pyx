# distutils: language = c++
"""JSON body -> the arguments of a model's method, led by the method's schema.

A `Plan` says what one value must be. The reader walks plan and document together, so every error
can name the argument, where it stands in the body, what was expected and what came. Numbers go from
the text straight into numpy memory of their final type and shape; for large bodies without the GIL
(tests/test_decoder.py::test_large_bodies_are_decoded_side_by_side).
"""

cimport cython
cimport numpy as cnp
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint32_t
from libcpp.string_view cimport string_view

from document cimport Document, Error, Kind, Node, NodeId, Nodes, message
from envelope cimport (
    ABSENT, DATA_TYPES, Envelope, Type, find_data_type, find_type, read_envelope,
)
from numbers cimport Element, Reading, read_numbers
from tensor cimport Place, Shape, measure, read_shape, read_values

from torch_serving.errors import (
    EmptyBody,
    IncompatibleDtype,
    IncompatibleShape,
    InvalidInput,
    InvalidJson,
    ServingError,
)

cnp.import_array()

# Below these sizes, giving the GIL away and fetching it back costs more than others gain from it.
cdef size_t PARSE_WITHOUT_GIL = 32 * 1024  # bytes
cdef int64_t READ_WITHOUT_GIL = 4096  # numbers
cdef Py_ssize_t MAX_QUOTE = 60  # characters of the body that an error repeats
cdef Py_ssize_t MAX_POINTER = 300

# In the order of DATA_TYPES (envelope.h). numpy has no bfloat16: its bits are held as uint16.
cdef int[15] TYPENUMS = [
    cnp.NPY_BOOL, cnp.NPY_UINT8, cnp.NPY_UINT16, cnp.NPY_UINT32, cnp.NPY_UINT64, cnp.NPY_INT8,
    cnp.NPY_INT16, cnp.NPY_INT32, cnp.NPY_INT64, cnp.NPY_FLOAT16, cnp.NPY_UINT16, cnp.NPY_FLOAT32,
    cnp.NPY_FLOAT64, cnp.NPY_COMPLEX64, cnp.NPY_COMPLEX128,
]
cdef tuple NAMES = tuple([text_of(DATA_TYPES[i].name) for i in range(15)])
cdef int FLOAT32 = NAMES.index("float32")
cdef int BFLOAT16 = NAMES.index("bfloat16")
cdef dict RANGES = {
    "bool": "true, false, 0 or 1",
    **{f"uint{bits}": f"0…{2 ** bits - 1}" for bits in (8, 16, 32, 64)},
    **{f"int{bits}": f"{-2 ** (bits - 1)}…{2 ** (bits - 1) - 1}" for bits in (8, 16, 32, 64)},
    "float16": "±65504",
    "bfloat16": "±3.3895314e38",
    "float32": "±3.4028235e38",
    "float64": "±1.7976931348623157e308",
    "complex64": "±3.4028235e38",
    "complex128": "±1.7976931348623157e308",
}


def data_types(**aliases):
    """What a scalar may call its number -> an index into NAMES."""
    return {name: NAMES.index(data_type) for name, data_type in aliases.items()}


cdef dict BOOLEANS = data_types(bool="bool")
cdef dict INTEGERS = data_types(
    int="int64", int8="int8", int16="int16", int32="int32", int64="int64", uint8="uint8",
)
cdef dict FLOATS = data_types(
    float="float64", float16="float16", float32="float32", float64="float64",
)
cdef dict COMPLEX = data_types(complex64="complex64", complex128="complex128")
cdef dict SCALARS = INTEGERS | FLOATS | BOOLEANS | COMPLEX
cdef dict SCALARS_OF = {
    "bool": BOOLEANS, "int": INTEGERS, "float": FLOATS | INTEGERS, "number": SCALARS,
    "complex": COMPLEX | FLOATS | INTEGERS,
}
cdef dict WIDEST = {"bool": "bool", "int": "int", "float": "float", "complex": "complex128"}


# Where a value stands: a node, or an element of the run that the node is.
cdef struct Spot:
    NodeId node
    int64_t element  # -1: the node itself


ctypedef object (*Read)(Reader, Plan, Spot)


cdef dict FORMS = {
    form: index for index, form in enumerate((
        "tensor", "bool", "int", "float", "complex", "number", "str", "device", "enum", "none",
        "list", "tuple", "dict", "optional", "union", "any",
    ))
}
# In the order of FORMS.
cdef Read[16] READS = [
    read_tensor, read_scalar, read_scalar, read_float, read_complex, read_scalar, read_string,
    read_device, read_enum, read_none, read_list, read_tuple, read_dict, read_optional, read_union,
    read_any,
]


@cython.final
cdef class Plan:
    """What one value must be.

    `type` is how the schema spells it, `form` what it is:

    - tensor; bool, int, float, complex, number (any of them); str, device; none; any
    - enum: one of `names`
    - list: one part; tuple: a part an element, and `names` if they have some
    - dict: two parts, for keys and values
    - optional: one part; union: the parts, of which the first that fits is taken
    """

    cdef readonly str form
    cdef readonly str type
    cdef readonly tuple parts
    cdef readonly tuple names
    cdef int index

    def __cinit__(self, str form not None, str type not None, *parts, tuple names=()):
        self.index = FORMS[form]
        self.form = form
        self.type = type
        self.parts = parts
        self.names = names
        for part in parts:
            if not isinstance(part, Plan):
                raise TypeError(f"parts of a plan are plans, not {part!r}")

    def __repr__(self):
        return f"Plan({self.form!r}, {self.type!r}, *{self.parts!r}, names={self.names!r})"

    cdef bint is_sequence(self):
        """Whether its JSON is an array, so that an outer one is easily mistaken for it."""
        if self.form == "optional":
            return (<Plan>self.parts[0]).is_sequence()
        if self.form == "union":
            return any([(<Plan>part).is_sequence() for part in self.parts])
        return self.form in ("list", "tuple", "any")


@cython.final
cdef class Argument:
    """One argument of a method; `default` stands for it where a request leaves it out."""

    cdef readonly str name
    cdef readonly Plan plan
    cdef readonly bint required
    cdef readonly object default

    def __cinit__(self, str name not None, Plan plan not None, bint required=True, default=None):
        self.name = name
        self.plan = plan
        self.required = required
        self.default = default


@cython.final
cdef class Makers:
    """How values become what torch takes, so that the codec need not know torch.

    - `tensor(array)`: of a C-contiguous, writable numpy array that nobody else holds; should share
      its memory, as `torch.from_numpy` does
    - `bfloat16(array)`: the same for the bits of bfloat16, as uint16
    - `device(name)`, `enum(type, name)`; `image(base64, mode, layout, batch, data_type)`: an array

    All raise ValueError, with what is wrong, for a value that they refuse.
    """

    cdef readonly object tensor
    cdef readonly object bfloat16
    cdef readonly object device
    cdef readonly object enum
    cdef readonly object image

    def __cinit__(self, tensor, bfloat16=None, device=None, enum=None, image=None):
        self.tensor = tensor
        self.bfloat16 = bfloat16
        self.device = device
        self.enum = enum
        self.image = image


@cython.final
cdef class Decoder:
    """Decode bodies for one method. Safe to use from any thread."""

    cdef tuple arguments
    cdef Makers make
    cdef Py_ssize_t required
    cdef size_t window_bytes

    def __cinit__(self, arguments, make, size_t window_bytes=0):
        """`window_bytes`: how much of a body is indexed at a time, for tests; 0 is what is best."""
        self.window_bytes = window_bytes
        self.arguments = tuple(arguments)
        self.make = make if isinstance(make, Makers) else Makers(make)
        self.required = sum([(<Argument?>argument).required for argument in self.arguments])

    def decode(self, body not None):
        """Return the list of arguments in `body`, a bytes-like object of UTF-8 JSON.

        Raises EmptyBody, InvalidJson, InvalidInput, IncompatibleShape or IncompatibleDtype
        (torch_serving.errors), each with a detail that says where.
        """
        cdef Reader reader = IDLE.pop() if IDLE else Reader()
        cdef Py_buffer view
        PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
        try:
            reader.decoder = self
            reader.parse(<const char*>view.buf, <size_t>view.len, False, self.window_bytes)
            try:
                arguments = read_arguments(reader)
            except ServingError:
                reader.validate()  # that it is not even JSON matters more
                raise
            reader.validate()
            return arguments
        finally:
            reader.release()
            IDLE.append(reader)
            PyBuffer_Release(&view)


# Readers that nobody uses now: as many as bodies were ever decoded at the same time.
cdef list IDLE = []


@cython.final
cdef class Reader:
    """An indexed document, and which argument is being read from it."""

    cdef Document document
    cdef Decoder decoder
    cdef Argument argument
    cdef size_t length
    cdef bint plain  # values may stand without envelopes
    cdef uint32_t trials  # readings of a value in which another one may be meant
    cdef Spot failed  # what was refused last

    cdef int parse(
        self, const char* text, size_t length, bint non_finite, size_t window_bytes
    ) except -1:
        cdef Error error
        self.length = length
        self.plain = False
        if length == 0:
            raise EmptyBody("the request has no body; expected a JSON document")
        if length < PARSE_WITHOUT_GIL:
            error = self.document.parse(text, length, non_finite, window_bytes)
        else:
            with nogil:
                error = self.document.parse(text, length, non_finite, window_bytes)
        return self.check(error)

    cdef int validate(self) except -1:
        cdef Error error
        if self.length < PARSE_WITHOUT_GIL:
            error = self.document.validate()
        else:
            with nogil:
                error = self.document.validate()
        return self.check(error)

    cdef int release(self) except -1:
        self.document.release()
        self.decoder = None
        self.argument = None
        return 0

    cdef int check(self, Error error) except -1:
        """Raise what the document says is wrong with itself."""
        if error == Error.none:
            return 0
        if error == Error.out_of_memory:
            raise MemoryError
        raise InvalidJson(f"byte {self.document.error_offset()}: {text_of(message(error))}")

    cdef object refuse(self, type error, Spot spot, str problem):
        """Return an error about a value; of a trial only where it is, since to tell takes long."""
        self.failed = spot
        if self.trials:
            return error("")
        where = pointer(&self.document, spot) or "the body"
        if self.argument is None:
            return error(f"{where}: {problem}")
        return error(
            f"{where}: {problem} (argument `{self.argument.name}`: {self.argument.plan.type})"
        )

    cdef object unexpected(self, Spot spot, str expected):
        cdef Envelope envelope
        if self.kind(spot) == Kind.object:
            self.members(spot, &envelope)  # a key that stands twice matters more
        came = "" if self.trials else describe(&self.document, spot)
        return self.refuse(InvalidInput, spot, f"expected {expected}, got {came}")

    cdef Kind kind(self, Spot spot) noexcept:
        return kind_of(&self.document, spot)

    cdef uint32_t count(self, Spot spot) noexcept:
        """How many elements or members a container has."""
        return self.document.node(spot.node).count

    cdef str string(self, Spot spot):
        return text_of(self.document.string(start_of(&self.document, spot)))

    cdef int members(self, Spot spot, Envelope* envelope) except -1:
        return self.check(read_envelope(&self.document, spot.node, envelope))

    cdef bint has_type(self, Spot spot) except -1:
        """Whether an object says what it is; in the plain form, one that does not is the value."""
        cdef Envelope envelope
        self.members(spot, &envelope)
        return envelope.type != ABSENT

    cdef Type type_of(self, const Envelope& envelope) noexcept:
        if envelope.type == ABSENT or self.document.node(envelope.type).kind != Kind.string:
            return Type.unknown
        return find_type(self.document.string(self.document.start(envelope.type, -1)))

    cdef Type open(self, Spot spot, Envelope* envelope, Plan plan, str names) except *:
        """Read an envelope whose type is one of `names`, and which has a value."""
        cdef Type found
        if self.kind(spot) != Kind.object:
            raise self.unexpected(spot, f'an envelope {{"type": {names}, ...}} for {plan.type}')
        self.members(spot, envelope)
        if envelope.type == ABSENT:
            raise self.refuse(
                InvalidInput, spot, f"the key `type` is missing; expected {names} for {plan.type}"
            )
        found = self.type_of(envelope[0])
        if found == Type.unknown or TYPE_NAMES[<int>found] not in names:
            raise self.unexpected(at(envelope.type), f"{names} for {plan.type}")
        if envelope.value == ABSENT:
            raise self.refuse(InvalidInput, spot, "the key `value` is missing")
        return found


# In the order of Type (envelope.h).
cdef tuple TYPE_NAMES = (
    '"tensor"', '"tensor_list"', '"tensor_dict"', '"generic_dict"', '"scalar"', '"string"',
    '"none"', '"named_tuple"', '"image"', '"enum"',
)


cdef inline Spot at(NodeId node, int64_t element=-1) noexcept:
    cdef Spot spot
    spot.node = node
    spot.element = element
    return spot


cdef inline object read(Reader reader, Plan plan, Spot spot):
    return READS[plan.index](reader, plan, spot)


cdef list read_arguments(Reader reader):
    """Positional, an array with one element an argument; bare, a lone argument; or by name."""
    cdef tuple arguments = reader.decoder.arguments
    cdef Node root = reader.document.node(0)
    cdef Argument only
    cdef int depth
    if root.kind == Kind.object and not reader.has_type(at(0)):
        reader.plain = True
        return read_named(reader)
    if len(arguments) != 1:
        return read_positional(reader)
    only = arguments[0]
    if not is_sequence(root.kind):
        return [read_argument(reader, only, at(0))]
    if not only.plan.is_sequence():
        return read_positional(reader)
    if root.count == 0:
        return [] if not only.required else [read_argument(reader, only, at(0))]
    if root.count > 1:
        return [read_argument(reader, only, at(0))]
    # `[X]`: the outer array if X fits the argument's type, else the argument itself
    try:
        return read_positional(reader)
    except InvalidJson:
        raise
    except ServingError as error:
        outer = error
        depth = depth_below(&reader.document, at(0), reader.failed)
    try:
        return [read_argument(reader, only, at(0))]
    except InvalidJson:
        raise
    except ServingError:
        # the reading that went wrong deeper down is the one that was meant
        if depth_below(&reader.document, at(0), reader.failed) > depth:
            raise
        raise outer


cdef list read_positional(Reader reader):
    cdef tuple arguments = reader.decoder.arguments
    cdef Spot element = first_element(reader, at(0))
    cdef Py_ssize_t i
    cdef list values = []
    if not is_sequence(reader.kind(at(0))):
        raise reader.unexpected(at(0), f"an array of {expected_count(reader.decoder)}")
    if not reader.decoder.required <= reader.count(at(0)) <= len(arguments):
        raise reader.refuse(
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
            raise reader.refuse(
                InvalidInput, at(members[name]),
                f"unknown argument; expected {expected_count(reader.decoder)}",
            )
    for argument in reader.decoder.arguments:
        if argument.name in members:
            values.append(read_argument(reader, argument, at(members[argument.name])))
        elif argument.required:
            raise reader.refuse(
                InvalidInput, at(0), f"argument `{argument.name}`: {argument.plan.type} is missing"
            )
        else:
            values.append(argument.default)
    return values


cdef str expected_count(Decoder decoder):
    cdef Argument argument
    signature = ", ".join(
        [f"{argument.name}: {argument.plan.type}" for argument in decoder.arguments]
    )
    most = len(decoder.arguments)
    count = f"{most}" if most == decoder.required else f"{decoder.required} to {most}"
    return f"{count} argument{'' if count == '1' else 's'} ({signature})"


cdef object read_argument(Reader reader, Argument argument, Spot spot):
    reader.argument = argument
    value = read(reader, argument.plan, spot)
    reader.argument = None
    return value


cdef Spot first_element(Reader reader, Spot array) noexcept:
    if reader.kind(array) == Kind.run:
        return at(array.node, 0)
    return at(reader.document.node(array.node).child)


cdef Spot next_element(Reader reader, Spot element) noexcept:
    if element.element >= 0:
        return at(element.node, element.element + 1)
    return at(reader.document.node(element.node).next)


cdef dict members_of(Reader reader, Spot spot):
    """The nodes of the members of an object, by key."""
    cdef Node node = reader.document.node(spot.node)
    cdef NodeId child = node.child
    cdef Node member
    cdef dict nodes = {}
    for _ in range(node.count):
        member = reader.document.node(child)
        key = text_of(reader.document.key(member))
        if key in nodes:
            reader.check(reader.document.fail_at_key(Error.duplicate_key, member))
        nodes[key] = child
        child = member.next
    return nodes


cdef object read_tensor(Reader reader, Plan plan, Spot spot):
    cdef Envelope envelope
    cdef Shape shape
    cdef int data_type = FLOAT32
    if reader.plain and reader.kind(spot) != Kind.object:
        raise_place(reader, measure_at(reader, spot, &shape), data_type)
        return make_tensor(reader, spot, shape, data_type)
    if reader.open(spot, &envelope, plan, '"tensor" or "image"') == Type.image:
        return read_image(reader, spot, envelope)
    if envelope.data_type != ABSENT:
        data_type = read_data_type(reader, envelope.data_type)
    raise_place(reader, measure(reader.document, envelope.value, &shape), data_type)
    if DATA_TYPES[data_type].components == 2:
        apply_pairs(reader, envelope, &shape)
    if envelope.shape != ABSENT:
        apply_shape(reader, envelope, &shape)
    return make_tensor(reader, at(envelope.value), shape, data_type)


cdef Place measure_at(Reader reader, Spot spot, Shape* shape) noexcept:
    cdef Place place
    if spot.element < 0:
        return measure(reader.document, spot.node, shape)
    shape.rank = 0
    shape.count = 1
    place.error = Error.none
    return place


cdef int read_data_type(Reader reader, NodeId node) except -1:
    cdef int data_type = -1
    if reader.document.node(node).kind == Kind.string:
        data_type = find_data_type(reader.document.string(reader.document.start(node, -1)))
    if data_type < 0:
        came = describe(&reader.document, at(node))
        raise reader.refuse(
            IncompatibleDtype, at(node), f"expected one of {', '.join(NAMES)}, got {came}"
        )
    return data_type


cdef int apply_pairs(Reader reader, const Envelope& envelope, Shape* measured) except -1:
    """Take the shape of real and imaginary parts for one of complex numbers.

    Flat values interleave them; nested ones hold them in innermost arrays of two.
    """
    cdef bint flat = measured.rank == 1
    cdef int last = measured.rank - 1
    if measured.rank == 0 or measured.dims[last] % 2 or (not flat and measured.dims[last] != 2):
        raise reader.refuse(
            IncompatibleShape, at(envelope.value), "expected pairs of real and imaginary part"
        )
    measured.count //= 2
    if flat:
        measured.dims[0] //= 2
    else:
        measured.rank = last
    return 0


cdef int apply_shape(Reader reader, const Envelope& envelope, Shape* measured) except -1:
    """Check the declared shape against the values that are there, and take it."""
    cdef Shape declared
    cdef int i
    cdef bint flat = reader.document.node(envelope.value).kind == Kind.run
    raise_place(reader, read_shape(&reader.document, envelope.shape, &declared), FLOAT32)
    if declared.count != measured.count:
        raise reader.refuse(
            IncompatibleShape, at(envelope.shape),
            f"shape {list_of(declared)} holds {declared.count} numbers, "
            f"`value` has {measured.count}",
        )
    if not flat:
        same = declared.rank == measured.rank
        for i in range(declared.rank if same else 0):
            same = same and declared.dims[i] == measured.dims[i]
        if not same:
            raise reader.refuse(
                IncompatibleShape, at(envelope.shape),
                f"shape {list_of(declared)} differs from {list_of(measured[0])}, "
                "the nesting of `value`",
            )
    measured[0] = declared
    return 0


cdef object make_tensor(Reader reader, Spot spot, const Shape& shape, int data_type):
    array = read_array(reader, spot, shape, data_type)
    if data_type == BFLOAT16:
        return reader.decoder.make.bfloat16(array)
    return reader.decoder.make.tensor(array)


cdef cnp.ndarray read_array(Reader reader, Spot spot, const Shape& shape, int data_type):
    """Decode numbers into a new array of their final type and shape."""
    cdef cnp.npy_intp[32] dims
    cdef int i
    cdef Place place
    cdef Reading reading
    cdef Element element = DATA_TYPES[data_type].element
    for i in range(shape.rank):
        dims[i] = shape.dims[i]
    cdef cnp.ndarray array = cnp.PyArray_SimpleNew(shape.rank, dims, TYPENUMS[data_type])
    cdef void* data = cnp.PyArray_DATA(array)
    cdef size_t item_bytes = cnp.PyArray_ITEMSIZE(array) // DATA_TYPES[data_type].components
    if spot.element >= 0:
        reading = read_numbers(
            &reader.document, reader.document.node(spot.node).token + 1 + 2 * spot.element, 1,
            element, data,
        )
        place.error = reading.error
        place.node = spot.node
        place.element = spot.element
    elif shape.count < READ_WITHOUT_GIL:
        place = read_values(&reader.document, spot.node, element, item_bytes, data)
    else:
        with nogil:
            place = read_values(&reader.document, spot.node, element, item_bytes, data)
    raise_place(reader, place, data_type)
    return array


cdef int raise_place(Reader reader, const Place& place, int data_type) except -1:
    """Raise what is wrong with a shape or with numbers, if anything is."""
    cdef Spot spot
    if place.error == Error.none:
        return 0
    if place.error == Error.bad_number:
        reader.validate()  # finds the same number, and its byte
    spot = at(place.node, place.element)
    came = describe(&reader.document, spot)
    kind = SHAPE_ERRORS.get(<int>place.error)
    if kind is not None:
        raise reader.refuse(kind, spot, f"{text_of(message(place.error))}, got {came}")
    name = NAMES[data_type]
    if reader.kind(spot) == Kind.number:
        problem = f"{quote(&reader.document, spot)} does not fit {name} ({RANGES[name]})"
    else:
        problem = f"expected a number that fits {name} ({RANGES[name]}), got {came}"
    raise reader.refuse(IncompatibleDtype, spot, problem)


cdef dict SHAPE_ERRORS = {
    <int>Error.not_shape: InvalidInput,
    <int>Error.ragged: IncompatibleShape,
    <int>Error.bad_dimension: IncompatibleShape,
    <int>Error.shape_overflow: IncompatibleShape,
    <int>Error.too_many_dimensions: IncompatibleShape,
}


cdef object read_image(Reader reader, Spot spot, const Envelope& envelope):
    """Pixels in an encoded image."""
    cdef int data_type = NAMES.index("uint8")
    make = reader.decoder.make
    if envelope.data_type != ABSENT:
        data_type = read_data_type(reader, envelope.data_type)
    if make.image is None:
        raise reader.refuse(InvalidInput, spot, "this server takes no images")
    encoded = choice(reader, envelope.value, None)
    mode = choice(reader, envelope.mode, "RGB") if envelope.mode != ABSENT else "RGB"
    layout = choice(reader, envelope.layout, "CHW") if envelope.layout != ABSENT else "CHW"
    batch = False
    if envelope.batch != ABSENT:
        if reader.kind(at(envelope.batch)) != Kind.boolean:
            raise reader.unexpected(at(envelope.batch), "true or false")
        batch = quote(&reader.document, at(envelope.batch)) == "true"
    try:
        return make.tensor(make.image(encoded, mode, layout, batch, NAMES[data_type]))
    except ValueError as error:
        raise reader.refuse(InvalidInput, at(envelope.value), str(error)) from None


cdef str choice(Reader reader, NodeId node, str example):
    if reader.kind(at(node)) != Kind.string:
        raise reader.unexpected(at(node), f'a string as "{example}"' if example else "a string")
    return reader.string(at(node))


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


@cython.final
cdef class Text:
    """A body and its index, for as long as anybody holds a value of it."""

    cdef Reader reader
    cdef Py_buffer view
    cdef bint held

    def __cinit__(self, body not None):
        self.reader = Reader()
        PyObject_GetBuffer(body, &self.view, PyBUF_SIMPLE)
        self.held = True

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


# Of an object that is read as a Value: a protocol's words, each of which costs a microsecond.
cdef uint32_t MAX_NAMES = 1024
cdef tuple KINDS = ("null", "boolean", "number", "string", "object", "array", "array")


@cython.final
cdef class Value:
    """A JSON value that is read once it is known what it must be, where no schema tells: the reader
    of another protocol walks the values, and numbers stay text until it knows their type.

    What is not what was asked for raises InvalidInput, IncompatibleShape or IncompatibleDtype.
    """

    cdef Text text
    cdef Spot spot

    @property
    def kind(self):
        """One of null, boolean, number, string, object, array."""
        return KINDS[<int>self.text.reader.kind(self.spot)]

    def refuse(self, str problem not None):
        """Return an error about this value."""
        return self.text.reader.refuse(InvalidInput, self.spot, problem)

    def expect(self, str kind not None, str what not None):
        if self.kind != kind:
            raise self.text.reader.unexpected(self.spot, what)

    @property
    def count(self):
        """How many elements or members it has."""
        return self.text.reader.count(self.spot)

    def members(self):
        """The members of an object, by key."""
        self.expect("object", "an object")
        if self.count > MAX_NAMES:
            raise self.refuse(f"{self.count} members; the limit is {MAX_NAMES}")
        nodes = members_of(self.text.reader, self.spot)
        return {key: value_at(self.text, at(nodes[key])) for key in nodes}

    def elements(self):
        """The elements of an array."""
        self.expect("array", "an array")
        cdef Spot element = first_element(self.text.reader, self.spot)
        cdef list values = []
        for _ in range(self.text.reader.count(self.spot)):
            values.append(value_at(self.text, element))
            element = next_element(self.text.reader, element)
        return values

    def string(self):
        self.expect("string", "a string")
        return self.text.reader.string(self.spot)

    def boolean(self):
        self.expect("boolean", "true or false")
        return quote(&self.text.reader.document, self.spot) == "true"

    def integer(self):
        """A number of 64 bits."""
        cdef Shape scalar
        self.expect("number", "an integer")
        scalar.rank = 0
        scalar.count = 1
        return read_array(self.text.reader, self.spot, scalar, INTEGERS["int64"]).item()

    def shape(self):
        """The dimensions of a tensor: at most 32, none negative, their product below 2^59."""
        cdef Shape shape
        self.expect("array", "an array of non-negative integers")
        place = read_shape(&self.text.reader.document, self.spot.node, &shape)
        raise_place(self.text.reader, place, INTEGERS["int64"])
        return tuple([shape.dims[i] for i in range(shape.rank)])

    def numbers(self, str data_type not None):
        """A number, or nested arrays of numbers, as a new array of their shape.

        bfloat16 is given as its bits, in uint16. Takes NaN and infinities as words and as strings.
        """
        cdef Shape shape
        cdef int index = NAMES.index(data_type)
        raise_place(self.text.reader, measure_at(self.text.reader, self.spot, &shape), index)
        return read_array(self.text.reader, self.spot, shape, index)

    def validate(self):
        """Raise InvalidJson for numbers that nobody has read and that are none."""
        self.text.reader.validate()


cdef Value value_at(Text text, Spot spot):
    cdef Value value = Value.__new__(Value)
    value.text = text
    value.spot = spot
    return value


def read_json(body not None, size_t window_bytes=0):
    """The value that a body of UTF-8 holds, of which NaN, Infinity and -Infinity may be part.

    Raises EmptyBody or InvalidJson. The body is held as long as any value of it.
    `window_bytes` is that of Decoder.
    """
    cdef Text text = Text(body)
    text.reader.parse(<const char*>text.view.buf, <size_t>text.view.len, True, window_bytes)
    return value_at(text, at(0))


# What errors say about the document: slow, and only run when something is wrong.

cdef inline bint is_sequence(Kind kind) noexcept:
    return kind == Kind.array or kind == Kind.run


cdef inline bint is_container(Kind kind) noexcept:
    return kind == Kind.object or is_sequence(kind)


cdef str text_of(string_view text):
    return PyUnicode_DecodeUTF8(text.data(), text.size(), "replace")


cdef str list_of(const Shape& shape):
    return str([shape.dims[i] for i in range(shape.rank)])


cdef inline const char* start_of(Document* document, Spot spot) noexcept:
    return document.start(spot.node, spot.element)


cdef Kind kind_of(Document* document, Spot spot) noexcept:
    if spot.element < 0:
        return document.node(spot.node).kind
    return document.scalar_kind(start_of(document, spot))


cdef str quote(Document* document, Spot spot):
    """A scalar as it stands in the body, cut."""
    raw = document.raw(start_of(document, spot))
    text = PyUnicode_DecodeUTF8(raw.data(), min(raw.size(), <size_t>(4 * MAX_QUOTE)), "replace")
    return text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE]}…"


cdef str describe(Document* document, Spot spot):
    """What stands there, in a few words."""
    cdef Kind kind = kind_of(document, spot)
    if kind == Kind.object:
        return "an object"
    if is_sequence(kind):
        count = document.node(spot.node).count
        return f"an array of {count} element{'' if count == 1 else 's'}"
    if kind == Kind.string:
        return f"the string {quote(document, spot)}"
    if kind == Kind.number:
        return f"the number {quote(document, spot)}"
    return quote(document, spot)


cdef NodeId child_towards(Document* document, NodeId node, NodeId below, int64_t* index) noexcept:
    """The child of a node that is or holds another one, and which of its children that is."""
    cdef NodeId child = document.node(node).child
    index[0] = 0
    while not Nodes.holds(document.node(child), below):
        child = document.node(child).next
        index[0] += 1
    return child


cdef int depth_below(Document* document, Spot top, Spot spot) noexcept:
    """How many levels a value is below one that is or holds it."""
    cdef NodeId node = top.node
    cdef int64_t index
    cdef int depth = 1 if top.element < 0 <= spot.element else 0
    while node != spot.node:
        node = child_towards(document, node, spot.node, &index)
        depth += 1
    return depth


cdef str pointer(Document* document, Spot spot):
    """The JSON Pointer (RFC 6901) to a node, or to an element of a run."""
    cdef NodeId node = 0
    cdef NodeId child
    cdef int64_t index
    cdef str path = ""
    while node != spot.node:
        child = child_towards(document, node, spot.node, &index)
        if document.node(node).kind == Kind.object:
            key = text_of(document.key(document.node(child)))
            path += "/" + key.replace("~", "~0").replace("/", "~1")
        else:
            path += f"/{index}"
        node = child
    if spot.element >= 0:
        path += f"/{spot.element}"
    return path if len(path) <= MAX_POINTER else f"{path[:MAX_POINTER]}…"
