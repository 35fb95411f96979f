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

from document cimport Document, Error, Kind, Node, message
from envelope cimport (
    ABSENT, DATA_TYPES, Envelope, Type, find_data_type, find_type, read_envelope,
)
from numbers cimport Element
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

# In the order of DATA_TYPES (envelope.h).
cdef int[9] TYPENUMS = [
    cnp.NPY_BOOL, cnp.NPY_UINT8, cnp.NPY_INT8, cnp.NPY_INT16, cnp.NPY_INT32, cnp.NPY_INT64,
    cnp.NPY_FLOAT16, cnp.NPY_FLOAT32, cnp.NPY_FLOAT64,
]
cdef tuple NAMES = tuple([text_of(DATA_TYPES[i].name) for i in range(9)])
cdef int FLOAT32 = NAMES.index("float32")
cdef dict RANGES = {
    "bool": "true, false, 0 or 1",
    "uint8": "0…255",
    "int8": "-128…127",
    "int16": "-32768…32767",
    "int32": "-2147483648…2147483647",
    "int64": "-9223372036854775808…9223372036854775807",
    "float16": "±65504",
    "float32": "±3.4028235e38",
    "float64": "±1.7976931348623157e308",
}
# What a scalar may call its number, and the data type in which that is read.
cdef dict INTEGERS = {
    name: NAMES.index(data_type) for name, data_type in (
        ("int", "int64"), ("int8", "int8"), ("int16", "int16"), ("int32", "int32"),
        ("int64", "int64"), ("uint8", "uint8"),
    )
}
cdef dict FLOATS = {
    name: NAMES.index(data_type) for name, data_type in (
        ("float", "float64"), ("float16", "float16"), ("float32", "float32"),
        ("float64", "float64"),
    )
}
cdef dict BOOLEANS = {"bool": NAMES.index("bool")}
cdef dict SCALAR_NAMES = INTEGERS | FLOATS | BOOLEANS


ctypedef object (*Read)(Reader, Plan, uint32_t)


cdef struct Form:
    Read read
    bint is_sequence


cdef dict FORMS = {
    "tensor": 0, "int": 1, "float": 2, "bool": 3, "str": 4, "list": 5, "tuple": 6, "dict": 7,
}
cdef Form[8] READS = [
    Form(read_tensor, False), Form(read_int, False), Form(read_float, False),
    Form(read_bool, False), Form(read_string, False), Form(read_list, True),
    Form(read_tuple, True), Form(read_dict, False),
]


@cython.final
cdef class Plan:
    """What one value must be.

    `form` is one of tensor, int, float, bool, str, list (one part), tuple (a part an element) and
    dict (with string keys; one part, for the values). `type` is how the schema spells it.
    """

    cdef readonly str form
    cdef readonly str type
    cdef readonly tuple parts
    cdef int index

    def __cinit__(self, str form not None, str type not None, *parts):
        self.index = FORMS[form]
        self.form = form
        self.type = type
        self.parts = parts
        for part in parts:
            if not isinstance(part, Plan):
                raise TypeError(f"parts of a plan are plans, not {part!r}")

    def __repr__(self):
        return f"Plan({self.form!r}, {self.type!r}, *{self.parts!r})"


@cython.final
cdef class Argument:
    """One argument of a method: name, plan, and whether it may be left out."""

    cdef readonly str name
    cdef readonly Plan plan
    cdef readonly bint required

    def __cinit__(self, str name not None, Plan plan not None, bint required=True):
        self.name = name
        self.plan = plan
        self.required = required


@cython.final
cdef class Decoder:
    """Decode bodies for one method. Safe to use from any thread.

    `from_array` turns a C-contiguous, writable numpy array that nobody else holds into a tensor,
    and should share its memory: `torch.from_numpy`.
    """

    cdef tuple arguments
    cdef object from_array
    cdef Py_ssize_t required

    def __cinit__(self, arguments, from_array):
        self.arguments = tuple(arguments)
        self.from_array = from_array
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
            reader.parse(<const char*>view.buf, <size_t>view.len)
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

    cdef int parse(self, const char* text, size_t length) except -1:
        cdef Error error
        self.length = length
        if length == 0:
            raise EmptyBody("the request has no body; expected a JSON document")
        if length < PARSE_WITHOUT_GIL:
            error = self.document.parse(text, length)
        else:
            with nogil:
                error = self.document.parse(text, length)
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

    cdef object refuse(self, type error, uint32_t node, str problem, int64_t element=-1):
        """Return an error about a node, or about an element of a run."""
        where = pointer(&self.document, node, element) or "the body"
        if self.argument is None:
            return error(f"{where}: {problem}")
        return error(
            f"{where}: {problem} (argument `{self.argument.name}`: {self.argument.plan.type})"
        )

    cdef object unexpected(self, uint32_t node, str expected, int64_t element=-1):
        came = describe(&self.document, node, element)
        return self.refuse(InvalidInput, node, f"expected {expected}, got {came}", element)

    cdef int open(self, uint32_t node, Envelope* envelope, Plan plan, str wanted) except -1:
        """Read the envelope at a node."""
        if self.document.node(node).kind != Kind.object:
            raise self.unexpected(node, f"{wanted} for {plan.type}")
        self.check(read_envelope(&self.document, node, envelope))
        if envelope.type == ABSENT:
            raise self.refuse(
                InvalidInput, node, f"the key `type` is missing; expected {wanted} for {plan.type}"
            )
        return 0

    cdef Type type_of(self, const Envelope& envelope) noexcept:
        if self.document.node(envelope.type).kind != Kind.string:
            return Type.unknown
        return find_type(self.document.string(self.document.node(envelope.type).token))

    cdef int need_value(self, uint32_t node, const Envelope& envelope) except -1:
        if envelope.value == ABSENT:
            raise self.refuse(InvalidInput, node, "the key `value` is missing")
        return 0

    cdef str string(self, uint32_t node):
        """The content of a string node."""
        return text_of(self.document.string(self.document.node(node).token))


cdef list read_arguments(Reader reader):
    """Positional, an array with one element an argument; or a lone argument, bare."""
    cdef tuple arguments = reader.decoder.arguments
    cdef Node root = reader.document.node(0)
    cdef Argument only
    if len(arguments) != 1:
        return read_positional(reader)
    only = arguments[0]
    if root.kind != Kind.array and root.kind != Kind.run:
        return [read_argument(reader, only, 0)]
    if not READS[only.plan.index].is_sequence:
        return read_positional(reader)
    if root.count == 0:
        return [] if not only.required else [read_argument(reader, only, 0)]
    if root.count > 1 or root.kind == Kind.run:
        return [read_argument(reader, only, 0)]
    # `[X]`: the outer array if X fits the argument's type, else the argument itself
    try:
        return read_positional(reader)
    except ServingError as error:
        outer = error
    try:
        return [read_argument(reader, only, 0)]
    except ServingError as error:
        # the reading that went wrong deeper down is the one that was meant
        raise error if depth_of(error) > depth_of(outer) else outer


cdef int depth_of(error) except -1:
    return error.detail.partition(":")[0].count("/")


cdef list read_positional(Reader reader):
    cdef tuple arguments = reader.decoder.arguments
    cdef Node root = reader.document.node(0)
    cdef uint32_t child = 1
    cdef Py_ssize_t i
    cdef list values = []
    if root.kind != Kind.array and root.kind != Kind.run:
        raise reader.unexpected(0, f"an array of {expected_count(reader.decoder)}")
    if not reader.decoder.required <= root.count <= len(arguments):
        raise reader.refuse(
            InvalidInput, 0, f"expected {expected_count(reader.decoder)}, got {root.count}"
        )
    for i in range(root.count):
        if root.kind == Kind.run:
            reader.argument = arguments[i]
            raise reader.unexpected(0, f"{reader.argument.plan.type} in an envelope", i)
        values.append(read_argument(reader, arguments[i], child))
        child = reader.document.node(child).next
    return values


cdef str expected_count(Decoder decoder):
    cdef Argument argument
    signature = ", ".join(
        [f"{argument.name}: {argument.plan.type}" for argument in decoder.arguments]
    )
    most = len(decoder.arguments)
    count = f"{most}" if most == decoder.required else f"{decoder.required} to {most}"
    return f"{count} argument{'' if count == '1' else 's'} ({signature})"


cdef object read_argument(Reader reader, Argument argument, uint32_t node):
    reader.argument = argument
    value = read(reader, argument.plan, node)
    reader.argument = None
    return value


cdef inline object read(Reader reader, Plan plan, uint32_t node):
    return READS[plan.index].read(reader, plan, node)


cdef object read_tensor(Reader reader, Plan plan, uint32_t node):
    cdef Envelope envelope
    cdef Shape shape
    cdef int data_type = FLOAT32
    reader.open(node, &envelope, plan, 'an envelope {"type": "tensor", ...}')
    if reader.type_of(envelope) != Type.tensor:
        raise reader.unexpected(envelope.type, '"tensor"')
    reader.need_value(node, envelope)
    if envelope.data_type != ABSENT:
        data_type = read_data_type(reader, envelope.data_type)
    raise_place(reader, measure(reader.document, envelope.value, &shape), data_type)
    if envelope.shape != ABSENT:
        apply_shape(reader, envelope, &shape)
    return reader.decoder.from_array(read_array(reader, envelope.value, shape, data_type))


cdef int read_data_type(Reader reader, uint32_t node) except -1:
    cdef int data_type = -1
    if reader.document.node(node).kind == Kind.string:
        data_type = find_data_type(reader.document.string(reader.document.node(node).token))
    if data_type < 0:
        came = describe(&reader.document, node)
        raise reader.refuse(
            IncompatibleDtype, node, f"expected one of {', '.join(NAMES)}, got {came}"
        )
    return data_type


cdef int apply_shape(Reader reader, const Envelope& envelope, Shape* measured) except -1:
    """Check the declared shape against the values that are there, and take it."""
    cdef Shape declared
    cdef int i
    cdef bint nested = measured.rank != 1
    raise_place(reader, read_shape(reader.document, envelope.shape, &declared), FLOAT32)
    if declared.count != measured.count:
        raise reader.refuse(
            IncompatibleShape, envelope.shape,
            f"shape {list_of(declared)} holds {declared.count} numbers, "
            f"`value` has {measured.count}",
        )
    if nested:
        same = declared.rank == measured.rank
        for i in range(declared.rank if same else 0):
            same = same and declared.dims[i] == measured.dims[i]
        if not same:
            raise reader.refuse(
                IncompatibleShape, envelope.shape,
                f"shape {list_of(declared)} differs from {list_of(measured[0])}, "
                "the nesting of `value`",
            )
    measured[0] = declared
    return 0


cdef cnp.ndarray read_array(Reader reader, uint32_t node, const Shape& shape, int data_type):
    """Decode numbers into a new array of their final type and shape."""
    cdef cnp.npy_intp[32] dims
    cdef int i
    cdef Place place
    cdef Element element = DATA_TYPES[data_type].element
    for i in range(shape.rank):
        dims[i] = shape.dims[i]
    cdef cnp.ndarray array = cnp.PyArray_SimpleNew(shape.rank, dims, TYPENUMS[data_type])
    cdef void* data = cnp.PyArray_DATA(array)
    cdef size_t item_bytes = cnp.PyArray_ITEMSIZE(array)
    if shape.count < READ_WITHOUT_GIL:
        place = read_values(&reader.document, node, element, item_bytes, data)
    else:
        with nogil:
            place = read_values(&reader.document, node, element, item_bytes, data)
    raise_place(reader, place, data_type)
    return array


cdef int raise_place(Reader reader, const Place& place, int data_type) except -1:
    """Raise what is wrong with a shape or with numbers, if anything is."""
    if place.error == Error.none:
        return 0
    if place.error == Error.bad_number:
        reader.validate()  # finds the same number, and its byte
    came = describe(&reader.document, place.node, place.element)
    kind = SHAPE_ERRORS.get(<int>place.error)
    if kind is not None:
        problem = f"{text_of(message(place.error))}, got {came}"
        raise reader.refuse(kind, place.node, problem, place.element)
    name = NAMES[data_type]
    if kind_of(&reader.document, place.node, place.element) == Kind.number:
        problem = f"{quote(&reader.document, place.node, place.element)} does not fit {name}"
        raise reader.refuse(
            IncompatibleDtype, place.node, f"{problem} ({RANGES[name]})", place.element
        )
    problem = f"expected a number that fits {name} ({RANGES[name]}), got {came}"
    raise reader.refuse(IncompatibleDtype, place.node, problem, place.element)


cdef dict SHAPE_ERRORS = {
    <int>Error.not_shape: InvalidInput,
    <int>Error.ragged: IncompatibleShape,
    <int>Error.bad_dimension: IncompatibleShape,
    <int>Error.shape_overflow: IncompatibleShape,
    <int>Error.too_many_dimensions: IncompatibleShape,
}


cdef object read_int(Reader reader, Plan plan, uint32_t node):
    return read_scalar(reader, plan, node, INTEGERS, "int")


cdef object read_bool(Reader reader, Plan plan, uint32_t node):
    return read_scalar(reader, plan, node, BOOLEANS, "bool")


cdef object read_float(Reader reader, Plan plan, uint32_t node):
    value = read_scalar(reader, plan, node, FLOATS | INTEGERS, "float")
    if type(value) is int and int(float(value)) != value:
        raise reader.refuse(IncompatibleDtype, node, f"{value} does not fit float64 exactly")
    return float(value)


cdef object read_scalar(Reader reader, Plan plan, uint32_t node, dict names, str default):
    """Read the number in a scalar's envelope, whose data type is one of `names`."""
    cdef Envelope envelope
    cdef Shape shape
    cdef int data_type = names[default]
    reader.open(node, &envelope, plan, 'an envelope {"type": "scalar", ...}')
    if reader.type_of(envelope) != Type.scalar:
        raise reader.unexpected(envelope.type, '"scalar"')
    reader.need_value(node, envelope)
    if envelope.data_type != ABSENT:
        data_type = read_scalar_type(reader, envelope.data_type, names)
    if is_container(reader.document.node(envelope.value).kind):
        raise reader.unexpected(envelope.value, "a single number")
    shape.rank = 0
    shape.count = 1
    return read_array(reader, envelope.value, shape, data_type).item()


cdef int read_scalar_type(Reader reader, uint32_t node, dict names) except -1:
    if reader.document.node(node).kind == Kind.string:
        name = reader.string(node)
        if name in names:
            return names[name]
        if name in SCALAR_NAMES:
            raise reader.unexpected(node, f"one of {', '.join(names)}")
    came = describe(&reader.document, node)
    raise reader.refuse(
        IncompatibleDtype, node, f"expected one of {', '.join(SCALAR_NAMES)}, got {came}"
    )


cdef object read_string(Reader reader, Plan plan, uint32_t node):
    cdef Envelope envelope
    reader.open(node, &envelope, plan, 'an envelope {"type": "string", "value": ...}')
    if reader.type_of(envelope) != Type.string:
        raise reader.unexpected(envelope.type, '"string"')
    reader.need_value(node, envelope)
    if reader.document.node(envelope.value).kind != Kind.string:
        raise reader.unexpected(envelope.value, "a string")
    return reader.string(envelope.value)


cdef object read_list(Reader reader, Plan plan, uint32_t node):
    cdef Envelope envelope
    cdef Plan element = plan.parts[0]
    if reader.document.node(node).kind == Kind.object and element.form == "tensor":
        reader.open(node, &envelope, plan, 'an array or an envelope {"type": "tensor_list", ...}')
        if reader.type_of(envelope) != Type.tensor_list:
            raise reader.unexpected(envelope.type, 'an array or the type "tensor_list"')
        reader.need_value(node, envelope)
        node = envelope.value
    return read_elements(reader, plan, node)


cdef object read_tuple(Reader reader, Plan plan, uint32_t node):
    cdef Node array = reader.document.node(node)
    if is_sequence(array.kind) and array.count != len(plan.parts):
        raise reader.refuse(
            InvalidInput, node, f"expected {len(plan.parts)} elements, got {array.count}"
        )
    return tuple(read_elements(reader, plan, node))


cdef list read_elements(Reader reader, Plan plan, uint32_t node):
    """Read an array whose elements have one plan, or one each."""
    cdef Node array = reader.document.node(node)
    cdef uint32_t child = node + 1
    cdef Plan part = plan.parts[0] if plan.parts else None
    cdef uint32_t i
    cdef list values = []
    if not is_sequence(array.kind):
        raise reader.unexpected(node, f"an array for {plan.type}")
    if array.kind == Kind.run and array.count > 0:
        raise reader.unexpected(node, f"{part.type} in an envelope", 0)
    for i in range(array.count):
        if i < len(plan.parts):
            part = plan.parts[i]
        values.append(read(reader, part, child))
        child = reader.document.node(child).next
    return values


cdef object read_dict(Reader reader, Plan plan, uint32_t node):
    cdef Envelope envelope
    cdef Plan part = plan.parts[0]
    cdef Type kind
    reader.open(node, &envelope, plan, 'an envelope {"type": "generic_dict", "value": {...}}')
    kind = reader.type_of(envelope)
    if kind != Type.generic_dict and not (kind == Type.tensor_dict and part.form == "tensor"):
        choices = '"generic_dict"' + (' or "tensor_dict"' if part.form == "tensor" else "")
        raise reader.unexpected(envelope.type, choices)
    reader.need_value(node, envelope)
    if reader.document.node(envelope.value).kind != Kind.object:
        raise reader.unexpected(envelope.value, f"an object for {plan.type}")
    return read_members(reader, part, envelope.value)


cdef dict read_members(Reader reader, Plan part, uint32_t node):
    cdef uint32_t end = reader.document.node(node).next
    cdef uint32_t child = node + 1
    cdef dict values = {}
    while child < end:
        key = text_of(reader.document.key(child))
        if key in values:
            reader.check(reader.document.fail_at_key(Error.duplicate_key, child))
        values[key] = read(reader, part, child)
        child = reader.document.node(child).next
    return values


# What errors say about the document: slow, and only run when something is wrong.

cdef inline bint is_sequence(Kind kind) noexcept:
    return kind == Kind.array or kind == Kind.run


cdef inline bint is_container(Kind kind) noexcept:
    return kind == Kind.object or is_sequence(kind)


cdef str text_of(string_view text):
    return PyUnicode_DecodeUTF8(text.data(), text.size(), "replace")


cdef str list_of(const Shape& shape):
    return str([shape.dims[i] for i in range(shape.rank)])


cdef uint32_t token_of(Document* document, uint32_t node, int64_t element) noexcept:
    """Where a node starts, or an element of a run."""
    cdef uint32_t token = document.node(node).token
    return token if element < 0 else <uint32_t>(token + 1 + 2 * element)


cdef Kind kind_of(Document* document, uint32_t node, int64_t element) noexcept:
    if element < 0:
        return document.node(node).kind
    return document.scalar_kind(token_of(document, node, element))


cdef str quote(Document* document, uint32_t node, int64_t element):
    """A scalar as it stands in the body, cut."""
    raw = document.raw(token_of(document, node, element))
    text = PyUnicode_DecodeUTF8(raw.data(), min(raw.size(), <size_t>(4 * MAX_QUOTE)), "replace")
    return text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE]}…"


cdef str describe(Document* document, uint32_t node, int64_t element=-1):
    """What stands there, in a few words."""
    cdef Kind kind = kind_of(document, node, element)
    if kind == Kind.object:
        return "an object"
    if is_sequence(kind):
        count = document.node(node).count
        return f"an array of {count} element{'' if count == 1 else 's'}"
    if kind == Kind.string:
        return f"the string {quote(document, node, element)}"
    if kind == Kind.number:
        return f"the number {quote(document, node, element)}"
    return quote(document, node, element)


cdef str pointer(Document* document, uint32_t target, int64_t element):
    """The JSON Pointer (RFC 6901) to a node, or to an element of a run."""
    cdef uint32_t node = 0
    cdef uint32_t child
    cdef int64_t index
    cdef str path = ""
    while node != target:
        child = node + 1
        index = 0
        while document.node(child).next <= target:
            child = document.node(child).next
            index += 1
        if document.node(node).kind == Kind.object:
            key = text_of(document.key(child))
            path += "/" + key.replace("~", "~0").replace("/", "~1")
        else:
            path += f"/{index}"
        node = child
    if element >= 0:
        path += f"/{element}"
    return path if len(path) <= MAX_POINTER else f"{path[:MAX_POINTER]}…"
