# distutils: language = c++
"""Counters of all worker processes, in memory that they share.

Each worker writes to a part of its own, under its GIL, so nothing is locked; whoever reads adds the
parts up. A worker that dies leaves its numbers to its successor, so that counters only grow. The
parts have room for so many methods of models: what comes after them is counted together.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

import mmap
import os
from typing import NamedTuple

# Upper bounds of the histograms; one more bucket has what is beyond.
SECONDS = (
    50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0,
)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
STEPS = ("request", "queue", "decode", "forward", "encode")
CODES = (
    200, 400, 401, 404, 405, 406, 408, 413, 415, 431, 499, 500, 503, 504,
)  # any other is counted as 500
ROWS = 1024  # methods of models, of each worker

cdef enum:
    N_SECONDS = 18
    N_SIZES = 12
    N_STEPS = 5
    N_CODES = 14
    N_ROWS = 1024
    NAME_BYTES = 512
    METHOD_BYTES = 64
    REQUEST = 0
    OTHER_CODE = 11

cdef double[N_SECONDS - 1] BOUNDS = SECONDS
cdef unsigned char[600] CODE_INDEX
memset(CODE_INDEX, OTHER_CODE, sizeof(CODE_INDEX))
for _index, _code in enumerate(CODES):
    CODE_INDEX[_code] = _index


cdef struct Histogram:
    uint64_t[N_SECONDS] buckets
    double sum


cdef struct Row:
    char[NAME_BYTES] name
    char[METHOD_BYTES] method
    uint64_t[N_CODES] codes
    uint64_t loads
    uint64_t waits  # requests that waited for the model to be loaded
    double last_s  # when the last answer was, by the monotonic clock
    Histogram[N_STEPS] steps
    uint64_t[N_SIZES] batches  # runs of so many requests
    uint64_t batched  # requests in all of them


cdef struct Part:
    int64_t pid
    int64_t lanes, in_lanes
    int64_t models, bytes
    uint64_t loads, evictions, failed_loads, rejected
    Py_ssize_t rows
    Row[N_ROWS] table


class MethodNumbers(NamedTuple):
    """The counters of one method, all workers together; histograms are (buckets, sum)."""

    codes: dict[int, int]
    loads: int
    waits: int
    last_s: float
    steps: dict[str, tuple[list[int], float]]
    batches: tuple[list[int], int]


class WorkerNumbers(NamedTuple):
    """What one worker is at, and has done."""

    pid: int
    lanes: int
    in_lanes: int  # requests that run or wait there
    models: int
    bytes: int
    loads: int
    evictions: int
    failed_loads: int
    rejected: int


@cython.final
cdef class Counts:
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

    cpdef int answered(self, int code, double elapsed_s) except -1:
        """Count an answer, and how long it took from the request's head on."""
        cdef timespec now
        self.row.codes[CODE_INDEX[code] if 0 <= code < 600 else OTHER_CODE] += 1
        add(&self.row.steps[REQUEST], elapsed_s)
        clock_gettime(CLOCK_MONOTONIC, &now)
        self.row.last_s = <double>now.tv_sec + now.tv_nsec * 1e-9
        return 0

    cpdef int took(self, int step, double elapsed_s) except -1:
        """Count the time of a step, by its index in STEPS."""
        if not 0 <= step < N_STEPS:
            raise IndexError(step)
        add(&self.row.steps[step], elapsed_s)
        return 0

    cpdef int ran(self, Py_ssize_t requests) except -1:
        """Count a run of so many requests at once."""
        cdef int index = 0
        while index < N_SIZES - 1 and requests > <Py_ssize_t>1 << index:
            index += 1
        self.row.batches[index] += 1
        self.row.batched += requests
        return 0

    cpdef int waited(self) except -1:
        """Count a request that found its model not loaded."""
        self.row.waits += 1
        return 0

    cpdef int loaded(self) except -1:
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


cdef object numbers_of(Row* row):
    cdef int i, j
    return MethodNumbers(
        {CODES[i]: row.codes[i] for i in range(N_CODES) if row.codes[i]},
        row.loads,
        row.waits,
        row.last_s,
        {
            STEPS[i]: ([row.steps[i].buckets[j] for j in range(N_SECONDS)], row.steps[i].sum)
            for i in range(N_STEPS)
        },
        ([row.batches[i] for i in range(N_SIZES)], row.batched),
    )


cdef object sum_of(object a, object b):
    """Two MethodNumbers added."""
    return MethodNumbers(
        {code: a.codes.get(code, 0) + b.codes.get(code, 0) for code in a.codes | b.codes},
        a.loads + b.loads,
        a.waits + b.waits,
        max(a.last_s, b.last_s),
        {
            step: (
                [x + y for x, y in zip(a.steps[step][0], b.steps[step][0])],
                a.steps[step][1] + b.steps[step][1],
            )
            for step in STEPS
        },
        (
            [x + y for x, y in zip(a.batches[0], b.batches[0])],
            a.batches[1] + b.batches[1],
        ),
    )


@cython.final
cdef class Statistics:
    """The counters of so many workers. Made before they are forked; each says which one it is."""

    cdef object memory
    cdef Py_buffer buffer
    cdef Part* parts
    cdef Part* own
    cdef readonly int workers
    cdef dict known
    cdef readonly Counts refused  # requests that no model was found for
    cdef Counts other  # methods that there is no room for

    def __cinit__(self, int workers=1):
        self.workers = workers
        self.memory = mmap.mmap(-1, workers * sizeof(Part))
        PyObject_GetBuffer(self.memory, &self.buffer, PyBUF_WRITABLE)
        self.parts = <Part*>self.buffer.buf
        self.enter(0)

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def enter(self, int worker):
        """Say which worker this process is. It goes on with the numbers of the one before it."""
        cdef Py_ssize_t index
        self.own = self.part_of(worker)
        self.own.pid = os.getpid()
        self.own.in_lanes = self.own.models = self.own.bytes = 0
        self.known = {}
        for index in range(self.own.rows):
            self.known[key_of(&self.own.table[index])] = self.counts_at(index)
        self.refused = self.counts(b"", b"")
        self.other = self.counts(b"other", b"")

    def leave(self, int worker):
        """Say that a worker has ended. Its counters stay."""
        cdef Part* part = self.part_of(worker)
        part.pid = part.lanes = part.in_lanes = part.models = part.bytes = 0

    def pid_of(self, int worker):
        """Return which process a worker is, or 0."""
        return self.part_of(worker).pid

    cdef Part* part_of(self, int worker) except NULL:
        if not 0 <= worker < self.workers:
            raise IndexError(worker)
        return &self.parts[worker]

    cdef Counts counts_at(self, Py_ssize_t index):
        cdef Counts counts = Counts(self)
        counts.row = &self.own.table[index]
        return counts

    def counts(self, bytes name not None, bytes method not None):
        """The counters of a method; the model's name and the method's are cut to what they may
        have."""
        key = (name[:NAME_BYTES], method[:METHOD_BYTES])
        counts = self.known.get(key)
        if counts is None:
            counts = self.other if self.own.rows == N_ROWS else self.add_row(key)
        return counts

    cdef Counts add_row(self, tuple key):
        cdef Row* row = &self.own.table[self.own.rows]
        cdef bytes name, method
        name, method = key
        memcpy(row.name, <char*>name, len(name))
        memcpy(row.method, <char*>method, len(method))
        self.own.rows += 1  # last: whoever reads finds whole names
        self.known[key] = counts = self.counts_at(self.own.rows - 1)
        return counts

    def lanes(self, int lanes, int in_lanes):
        """Tell how many lanes there are, and how many requests run or wait there."""
        self.own.lanes = lanes
        self.own.in_lanes = in_lanes

    def rejected(self):
        """Count a request that found the queue full."""
        self.own.rejected += 1

    def loaded(self, Py_ssize_t evicted):
        """Count a load, and what it drove out."""
        self.own.loads += 1
        self.own.evictions += evicted

    def load_failed(self):
        self.own.failed_loads += 1

    def holds(self, Py_ssize_t models, Py_ssize_t bytes):
        """Tell what the cache holds now."""
        self.own.models = models
        self.own.bytes = bytes

    def methods(self):
        """Return MethodNumbers by model and method; both are empty for refused requests."""
        cdef Py_ssize_t worker, index
        cdef Row* row
        found = {}
        for worker in range(self.workers):
            for index in range(self.parts[worker].rows):
                row = &self.parts[worker].table[index]
                name, method = key_of(row)
                key = (name.decode("utf-8", "ignore"), method.decode("utf-8", "ignore"))
                numbers = numbers_of(row)
                found[key] = sum_of(found[key], numbers) if key in found else numbers
        return found

    def by_worker(self):
        """Return WorkerNumbers for each worker."""
        cdef Py_ssize_t i
        return [
            WorkerNumbers(
                self.parts[i].pid, self.parts[i].lanes, self.parts[i].in_lanes,
                self.parts[i].models, self.parts[i].bytes, self.parts[i].loads,
                self.parts[i].evictions, self.parts[i].failed_loads, self.parts[i].rejected,
            )
            for i in range(self.workers)
        ]


cdef tuple key_of(Row* row):
    return row.name[:NAME_BYTES].rstrip(b"\0"), row.method[:METHOD_BYTES].rstrip(b"\0")
