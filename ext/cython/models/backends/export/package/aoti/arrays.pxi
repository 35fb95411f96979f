# numpy arrays as inputs and results of packages, without tensors that Python knows.

cdef extern from "numpy/arrayobject.h":
    object PyArray_New(
        PyTypeObject* type, int rank, cnp.npy_intp* shape, int type_number,
        cnp.npy_intp* strides, void* data, int bytes, int flags, void* parent,
    )

cdef enum:
    MAX_RANK = 32
    MAX_DTYPE = 30
    CPU = 0  # as torch numbers kinds of devices
    KINDS = 24  # of numpy's own data types

cdef int[MAX_DTYPE] BYTES = [
    1, 1, 2, 4, 8, 2, 4, 8, 4, 8, 16, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 8,
]

# torch's own numbers of data types by those of numpy; -1: torch has none.
cdef int[KINDS] SCALAR_TYPES
for _number in range(KINDS):
    SCALAR_TYPES[_number] = -1
for _type, _number in (
    (cnp.NPY_UINT8, 0), (cnp.NPY_INT8, 1), (cnp.NPY_INT16, 2), (cnp.NPY_INT32, 3),
    (cnp.NPY_INT64, 4), (cnp.NPY_FLOAT16, 5), (cnp.NPY_FLOAT32, 6), (cnp.NPY_FLOAT64, 7),
    (cnp.NPY_COMPLEX64, 9), (cnp.NPY_COMPLEX128, 10), (cnp.NPY_BOOL, 11), (cnp.NPY_UINT16, 27),
    (cnp.NPY_UINT32, 28), (cnp.NPY_UINT64, 29),
):
    SCALAR_TYPES[<int> _type] = _number

# numpy's numbers of data types, and bytes of an element, by torch's.
cdef int[MAX_DTYPE] NUMPY_TYPES
for _number in range(MAX_DTYPE):
    NUMPY_TYPES[_number] = -1
for _number in range(KINDS):
    if SCALAR_TYPES[_number] >= 0:
        NUMPY_TYPES[SCALAR_TYPES[_number]] = _number


@cython.final
cdef class Owner:
    """What the memory of a result belongs to: its tensor, the inputs it may share, the package."""

    cdef TensorHandle tensor
    cdef list inputs
    cdef Package package

    def __dealloc__(self):
        if self.tensor != NULL:
            torch_functions().delete_tensor(self.tensor)


cdef int wrap(list arrays, vector[TensorHandle]& tensors) except -1:
    """Make a tensor of each array. Raises MemoryError, and then there are none."""
    cdef Py_ssize_t i, j
    for i in range(len(arrays)):
        tensors[i] = tensor_of(arrays[i])
        if tensors[i] == NULL:
            for j in range(i):
                torch_functions().delete_tensor(tensors[j])
            raise MemoryError
    return 0


cdef list unwrap(vector[TensorHandle]& tensors, list inputs, Package package):
    """The results as arrays; None where there is no tensor. No tensor is left, also on an error."""
    cdef size_t i
    cdef list arrays = []
    try:
        for i in range(tensors.size()):
            arrays.append(array_of(&tensors[i], inputs, package) if tensors[i] != NULL else None)
    finally:
        for i in range(tensors.size()):
            if tensors[i] != NULL:
                torch_functions().delete_tensor(tensors[i])
    return arrays


cdef bint is_array(value) noexcept:
    """Whether a value is an array that a package can take as it lies."""
    return (
        type(value) is cnp.ndarray
        and cnp.PyArray_TYPE(<cnp.ndarray> value) < KINDS
        and SCALAR_TYPES[cnp.PyArray_TYPE(<cnp.ndarray> value)] >= 0
        and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray> value)
        and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray> value)
        and cnp.PyArray_NDIM(<cnp.ndarray> value) <= MAX_RANK
    )


cdef TensorHandle tensor_of(cnp.ndarray array) noexcept:
    """A tensor over the memory of an array; NULL if there is no memory for it."""
    cdef int64_t[MAX_RANK] strides
    cdef int64_t stride = 1
    cdef int rank = cnp.PyArray_NDIM(array), i
    cdef cnp.npy_intp* shape = cnp.PyArray_DIMS(array)
    for i in range(rank - 1, -1, -1):
        strides[i] = stride
        stride *= max(shape[i], 1)
    cdef TensorHandle tensor = NULL
    if torch_functions().tensor_of_memory(
        cnp.PyArray_DATA(array), rank, <int64_t*> shape, strides, 0,
        SCALAR_TYPES[cnp.PyArray_TYPE(array)], CPU, 0, &tensor,
    ):
        return NULL
    return tensor


cdef object array_of(TensorHandle* held, list inputs, Package package):
    """An array over the memory of a tensor, which it owns; a tensor that numpy has no type for.

    What was held is NULL once it has another owner.
    """
    cdef const TorchFunctions* torch = torch_functions()
    cdef TensorHandle tensor = held[0]
    cdef int64_t rank = 0, i
    cdef int64_t* shape = NULL
    cdef int64_t* strides = NULL
    cdef int32_t dtype = -1
    cdef int32_t device = -1
    cdef void* data = NULL
    cdef Owner owner
    torch.dtype(tensor, &dtype)
    torch.rank(tensor, &rank)
    torch.device_type(tensor, &device)
    if not 0 <= dtype < MAX_DTYPE or NUMPY_TYPES[dtype] < 0 or rank > MAX_RANK or device != CPU:
        capsule = PyCapsule_New(tensor, NULL, NULL)
        held[0] = NULL
        return to_tensors([capsule])[0]
    owner = Owner.__new__(Owner)
    owner.tensor = tensor
    held[0] = NULL
    owner.inputs = inputs
    owner.package = package
    torch.shape(tensor, &shape)
    torch.strides(tensor, &strides)
    torch.data(tensor, &data)
    cdef cnp.npy_intp[MAX_RANK] byte_strides
    for i in range(rank):
        byte_strides[i] = strides[i] * BYTES[dtype]
    array = PyArray_New(
        <PyTypeObject*> cnp.ndarray, <int> rank, <cnp.npy_intp*> shape, NUMPY_TYPES[dtype],
        byte_strides, data, 0, cnp.NPY_ARRAY_WRITEABLE | cnp.NPY_ARRAY_ALIGNED, NULL,
    )
    cnp.set_array_base(array, owner)
    return array
