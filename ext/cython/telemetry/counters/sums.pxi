# Sums over all workers that are cheap enough to be made every second or two.

class Totals(NamedTuple):
    """The counters of all methods in all workers; a bucket does not include those before it."""

    codes: dict[int, int]
    seconds: list[int]  # from a request's head to its response
    sum_s: float
    batches: list[int]
    batched: int


class ModelNumbers(NamedTuple):
    """The counters of all methods of one model in all workers; steps are (count, seconds)."""

    codes: dict[int, int]
    seconds: list[int]
    sum_s: float
    loads: int
    cold_starts: int
    steps: dict[str, tuple[int, float]]
    last_s: float  # by the monotonic clock; 0.0: no response yet


cdef struct Sum:
    uint64_t[N_CODES] codes
    uint64_t[N_SECONDS] seconds
    double sum_s
    uint64_t loads, cold_starts
    uint64_t[N_STEPS] counts
    double[N_STEPS] step_sums
    uint64_t[N_SIZES] batches
    uint64_t batched
    double last_s


cdef int add_totals(Sum* sum, Row* row) noexcept:
    cdef int i
    cdef Histogram* request = &row.steps[REQUEST]
    for i in range(N_CODES):
        sum.codes[i] += row.codes[i]
    for i in range(N_SECONDS):
        sum.seconds[i] += request.buckets[i]
    sum.sum_s += request.sum
    for i in range(N_SIZES):
        sum.batches[i] += row.batches[i]
    sum.batched += row.batched
    return 0


cdef int add_details(Sum* sum, Row* row) noexcept:
    cdef int i, j
    sum.loads += row.loads
    sum.cold_starts += row.cold_starts
    sum.last_s = max(sum.last_s, row.last_s)
    for i in range(N_STEPS):
        sum.step_sums[i] += row.steps[i].sum
        for j in range(N_SECONDS):
            sum.counts[i] += row.steps[i].buckets[j]
    return 0


cdef dict codes_of(Sum* sum):
    cdef int i
    return {CODES[i]: sum.codes[i] for i in range(N_CODES) if sum.codes[i]}


cdef list seconds_of(Sum* sum):
    cdef int i
    return [sum.seconds[i] for i in range(N_SECONDS)]


cdef object totals_of(Sum* sum):
    cdef int i
    batches = [sum.batches[i] for i in range(N_SIZES)]
    return Totals(codes_of(sum), seconds_of(sum), sum.sum_s, batches, sum.batched)


cdef object model_numbers_of(Sum* sum):
    cdef int i
    steps = {STEPS[i]: (sum.counts[i], sum.step_sums[i]) for i in range(N_STEPS) if sum.counts[i]}
    return ModelNumbers(
        codes_of(sum), seconds_of(sum), sum.sum_s, sum.loads, sum.cold_starts, steps, sum.last_s
    )


cdef uint64_t activity_of(Row* row) noexcept:
    """A number that grows with each response and each load."""
    cdef int i
    cdef uint64_t found = row.loads + row.cold_starts
    for i in range(N_CODES):
        found += row.codes[i]
    return found


# where no model was found, and where there was no room
cdef frozenset NO_MODELS = frozenset(("", "other"))


@cython.final
cdef class ModelReader:
    """Finds the models whose numbers have changed since it was last asked, and reads them."""

    cdef Statistics statistics
    cdef dict rows  # the addresses of a model's rows by its name
    cdef list row_names  # of the models of the rows, for each worker
    cdef object memory
    cdef uint64_t* seen  # the activity of each row

    def __cinit__(self, Statistics statistics not None):
        cdef Py_ssize_t size = statistics.workers * N_ROWS * sizeof(uint64_t)
        self.statistics = statistics
        self.rows = {}
        self.row_names = [[] for _ in range(statistics.workers)]
        self.memory = bytearray(size)
        self.seen = <uint64_t*><char*>self.memory

    def changed(self):
        """Return the names of these models, of all at first."""
        cdef Py_ssize_t worker, index
        cdef uint64_t activity
        cdef uint64_t* seen
        cdef list names
        found = set()
        for worker in range(self.statistics.workers):
            self.find_rows(worker)
            names = self.row_names[worker]
            seen = &self.seen[worker * N_ROWS]
            for index in range(len(names)):
                activity = activity_of(&self.statistics.slots[worker].table[index])
                if activity != seen[index]:
                    seen[index] = activity
                    found.add(names[index])
        return sorted(found - NO_MODELS)

    def names(self):
        """Return the names of all models that have numbers."""
        cdef Py_ssize_t worker
        for worker in range(self.statistics.workers):
            self.find_rows(worker)
        return sorted(self.rows.keys() - NO_MODELS)

    def numbers(self, str name not None):
        """Return the ModelNumbers of one of these models."""
        cdef Sum sum
        cdef Row* row
        memset(&sum, 0, sizeof(sum))
        for worker, index in self.rows[name]:
            row = &self.statistics.slots[<Py_ssize_t>worker].table[<Py_ssize_t>index]
            add_totals(&sum, row)
            add_details(&sum, row)
        return model_numbers_of(&sum)

    cdef int find_rows(self, Py_ssize_t worker) except -1:
        """Look at the rows that a worker has added."""
        cdef list names = self.row_names[worker]
        cdef Py_ssize_t index
        for index in range(len(names), self.statistics.slots[worker].rows):
            name = key_of(&self.statistics.slots[worker].table[index])[0].decode("utf-8", "ignore")
            names.append(name)
            self.rows.setdefault(name, []).append((worker, index))
        return 0
