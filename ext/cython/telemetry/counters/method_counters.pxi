# The counters of one method in one process.

@cython.final
cdef class MethodCounters:
    """The counters of one method in this process."""

    cdef Row* row
    cdef object owner  # keeps the memory alive that `row` is in

    def __cinit__(self, owner=None):
        """Without an owner, count in private memory."""
        if owner is None:
            self.owner = bytearray(sizeof(Row))
            self.row = <Row*><char*>self.owner
        else:
            self.owner = owner

    cpdef int observe_response(self, int code, double elapsed_s) except -1:
        """Count a response, and the time since the head of its request."""
        cdef timespec now
        self.row.codes[CODE_INDEX[code] if 0 <= code < 600 else OTHER_CODE] += 1
        add(&self.row.steps[REQUEST], elapsed_s)
        clock_gettime(CLOCK_MONOTONIC, &now)
        self.row.last_s = <double>now.tv_sec + now.tv_nsec * 1e-9
        return 0

    cpdef int observe_step(self, int step, double elapsed_s) except -1:
        """Count the time of a step, given as an index of STEPS."""
        if not 0 <= step < N_STEPS:
            raise IndexError(step)
        add(&self.row.steps[step], elapsed_s)
        return 0

    cpdef int observe_batch(self, Py_ssize_t requests) except -1:
        """Count a batch of this many requests."""
        cdef int index = 0
        while index < N_SIZES - 1 and requests > <Py_ssize_t>1 << index:
            index += 1
        self.row.batches[index] += 1
        self.row.batched += requests
        return 0

    cpdef int count_cold_start(self) except -1:
        """Count a request that found its model not loaded."""
        self.row.cold_starts += 1
        return 0

    cpdef int count_load(self) except -1:
        """Count a load of the model."""
        self.row.loads += 1
        return 0

    def numbers(self):
        return numbers_of(self.row)


cdef int add(Histogram* histogram, double seconds) noexcept:
    cdef int index = 0
    while index < N_SECONDS - 1 and seconds > BOUNDS[index]:
        index += 1
    histogram.buckets[index] += 1
    histogram.sum += seconds
    return 0
