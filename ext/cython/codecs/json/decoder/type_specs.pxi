# The types that a schema asks for, as the decoder reads them.

ctypedef object (*ReadValue)(Reader, TypeSpec, ValueRef)


cdef dict SPEC_KINDS = {
    kind: index for index, kind in enumerate((
        "tensor", "bool", "int", "float", "complex", "number", "str", "device", "enum", "none",
        "list", "tuple", "dict", "optional", "union", "any", "constant",
    ))
}
# In the order of SPEC_KINDS.
cdef ReadValue[17] READERS = [
    read_tensor, read_scalar, read_scalar, read_float, read_complex, read_scalar, read_string,
    read_device, read_enum, read_none, read_list, read_tuple, read_dict, read_optional, read_union,
    read_any, read_constant,
]

# Of these, no value is None.
cdef tuple NEVER_NONE = (
    "tensor", "bool", "int", "float", "complex", "number", "str", "device", "enum", "list", "tuple",
    "dict",
)

# What one value takes, about, as an object of Python and of TorchScript, beside its text. In the
# order of SPEC_KINDS; what has parts takes theirs, too.
cdef Py_ssize_t[17] VALUE_BYTES = [
    512, 32, 64, 64, 80, 64, 128, 128, 128, 32, 192, 128, 400, 0, 0, 512, 64,
]


@cython.final
cdef class TypeSpec:
    """The type of one value. `type` is its spelling in the schema, `kind` one of:

    - tensor; bool, int, float, complex, number (any of them); str, device; none; any
    - enum: one of `names`
    - list: one part; tuple: a part an element, and `names` if they have some
    - dict: two parts, for keys and values; `members` are the types of values of some keys, and
      `closed` says that there are no others
    - constant: one part; the only value that may come is `value`, and it may be left out
    - optional: one part; union: the parts, of which the first that fits is taken

    `constraint` is what is known of a tensor (torch_serving.tensor_constraint), or None.
    """

    cdef readonly str kind
    cdef readonly str type
    cdef readonly tuple parts
    cdef readonly tuple names
    cdef readonly dict members
    cdef readonly object constraint
    cdef readonly bint closed
    cdef readonly object value
    cdef dict fields  # of a named tuple: its types by name
    cdef int index
    cdef int plain_type  # of the numbers of a tensor without an envelope
    cdef int default_type  # of the numbers in an envelope that names none
    cdef int rank  # of a tensor; -1: any
    cdef int64_t[32] least  # of each dimension
    cdef int64_t[32] most
    cdef Py_ssize_t value_bytes

    def __cinit__(
        self, str kind not None, str type not None, *parts, tuple names=(), constraint=None,
        dict members=None, bint closed=False, value=None,
    ):
        self.index = SPEC_KINDS[kind]
        self.kind = kind
        self.type = type
        self.parts = parts
        self.names = names
        self.members = members
        self.constraint = constraint
        self.closed = closed
        self.fields = dict(zip(names, parts)) if kind == "tuple" else None
        self.value = value
        self.plain_type = self.default_type = FLOAT32
        self.rank = -1
        if constraint is not None:
            self.plain_type = NAMES.index(constraint.plain_type)
            if constraint.data_type:
                self.default_type = self.plain_type
            if constraint.shape is not None:
                self.rank = len(constraint.shape)
                for i, dimension in enumerate(constraint.shape):
                    self.least[i] = dimension.least
                    self.most[i] = MAX_SIZE if dimension.most is None else dimension.most
        for part in parts:
            if not isinstance(part, TypeSpec):
                raise TypeError(f"parts of a spec are specs, not {part!r}")
        self.value_bytes = VALUE_BYTES[self.index]
        sizes = [(<TypeSpec>part).value_bytes for part in parts]
        if kind == "tuple":
            self.value_bytes += sum(sizes)
        elif kind in ("optional", "union"):
            self.value_bytes = max(sizes, default=0)

    def __repr__(self):
        return f"TypeSpec({self.kind!r}, {self.type!r}, *{self.parts!r}, names={self.names!r})"

    cdef bint is_mapping(self):
        """Whether its plain JSON may be an object."""
        if self.kind in ("optional", "union"):
            return any([(<TypeSpec>part).is_mapping() for part in self.parts])
        if self.kind == "dict":
            return (<TypeSpec>self.parts[0]).kind == "str"
        return self.kind == "tuple" and len(self.names) > 0

    cdef bint is_sequence(self):
        """Whether its JSON is an array, which an outer array may be mistaken for."""
        if self.kind == "optional":
            return (<TypeSpec>self.parts[0]).is_sequence()
        if self.kind == "union":
            return any([(<TypeSpec>part).is_sequence() for part in self.parts])
        return self.kind in ("list", "tuple", "any")


@cython.final
cdef class Argument:
    """One argument of a method; `default` is its value where a request leaves it out."""

    cdef readonly str name
    cdef readonly TypeSpec spec
    cdef readonly bint required
    cdef readonly object default

    def __cinit__(
        self, str name not None, TypeSpec spec not None, bint required=True, default=None,
    ):
        self.name = name
        self.spec = spec
        self.required = required
        self.default = default


@cython.final
cdef class ValueFactory:
    """Makes values of torch, which the codec does not import.

    - `tensor(array)`: from a C-contiguous, writable numpy array with no other owner; should share
      its memory, as `torch.from_numpy` does
    - `bfloat16(array)`: the same for the bits of bfloat16, as uint16
    - `device(name)`, `enum(type, name)`; `image(base64, mode, layout, batch, data_type)`: an array

    All raise ValueError, with a message for the client, for a value that they reject.
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


cdef inline object read(Reader reader, TypeSpec spec, ValueRef ref):
    return READERS[spec.index](reader, spec, ref)
