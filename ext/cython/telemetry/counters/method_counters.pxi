# What one process counts of one method.

@cython.final
cdef class MethodCounters:
    """What is counted of one method by this process."""

    cdef Row* row
    cdef object owner  # keeps the memory alive that `row` is in

    def __cinit__(self, owner=None):
        """Without an owner, count for nobody else."""
        if owner is None:
            self.owner = bytearray(sizeof(Row))
            self.row = <Row*><char*>self.owner
        else:
            self.owner = owner

    cpdef int observe_response(self, int code, double elapsed_s) except -1:
        """Count an answer, and how long it took from the request's head on."""
        cdef timespec now
        self.row.codes[CODE_INDEX[code] if 0 <= code < 600 else OTHER_CODE] += 1
        add(&self.row.steps[REQUEST], elapsed_s)
        clock_gettime(CLOCK_MONOTONIC, &now)
        self.row.last_s = <double>now.tv_sec + now.tv_nsec * 1e-9
        return 0

    cpdef int observe_step(self, int step, double elapsed_s) except -1:
        """Count the time of a step, by its index in STEPS."""
        if not 0 <= step < N_STEPS:
            raise IndexError(step)
        add(&self.row.steps[step], elapsed_s)
        return 0

    cpdef int observe_batch(self, Py_ssize_t requests) except -1:
        """Count a run of so many requests at once."""
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
