# distutils: language = c++
"""Counters of all worker processes, in memory that they share.

Each worker writes to its own slot, under its GIL, so there are no locks. Readers add the slots up.
A worker that dies leaves its numbers to its successor, so counters only grow. A slot has rows for
1,024 methods, and for 16 devices; what is beyond shares one row.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

import mmap
import os
from typing import NamedTuple

include "counters/layout.pxi"
include "counters/numbers.pxi"
include "counters/method_counters.pxi"
include "counters/device_counters.pxi"
include "counters/sums.pxi"


@cython.final
cdef class Statistics:
    """The counters of all workers. Made before the fork; each worker then attaches to its slot."""

    cdef object memory
    cdef Py_buffer buffer
    cdef WorkerSlot* slots
    cdef WorkerSlot* own
    cdef readonly int workers
    cdef dict known
    cdef dict devices
    cdef readonly MethodCounters unmatched  # requests that no model was found for
    cdef MethodCounters other  # methods that there is no room for

    def __cinit__(self, int workers=1):
        self.workers = workers
        self.memory = mmap.mmap(-1, workers * sizeof(WorkerSlot))
        PyObject_GetBuffer(self.memory, &self.buffer, PyBUF_WRITABLE)
        self.slots = <WorkerSlot*>self.buffer.buf
        self.attach(0)

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def attach(self, int worker):
        """Take over the slot of this process, with the numbers of the worker before it."""
        cdef Py_ssize_t index
        self.own = self.slot_of(worker)
        self.own.pid = os.getpid()
        self.own.jobs = self.own.models = self.own.bytes = 0
        self.known = {}
        for index in range(self.own.rows):
            self.known[key_of(&self.own.table[index])] = self.counters_at(index)
        self.devices = {}
        for index in range(self.own.n_devices):
            reset(&self.own.devices[index])
            self.devices[device_name(&self.own.devices[index])] = self.device_at(index)
        self.unmatched = self.counters(b"", b"")
        self.other = self.counters(b"other", b"")

    def detach(self, int worker):
        """Free the slot of a worker that has ended. Its counters stay."""
        cdef WorkerSlot* slot = self.slot_of(worker)
        cdef Py_ssize_t index
        slot.pid = slot.threads = slot.jobs = slot.models = slot.bytes = 0
        for index in range(slot.n_devices):
            reset(&slot.devices[index])

    def pid_of(self, int worker):
        """Return which process a worker is, or 0."""
        return self.slot_of(worker).pid

    cdef WorkerSlot* slot_of(self, int worker) except NULL:
        if not 0 <= worker < self.workers:
            raise IndexError(worker)
        return &self.slots[worker]

    cdef MethodCounters counters_at(self, Py_ssize_t index):
        cdef MethodCounters counters = MethodCounters(self)
        counters.row = &self.own.table[index]
        return counters

    def counters(self, bytes name not None, bytes method not None):
        """Return the counters of a method. Names that are too long for a row are cut."""
        key = (name[:NAME_BYTES], method[:METHOD_BYTES])
        counters = self.known.get(key)
        if counters is None:
            counters = self.other if self.own.rows == N_ROWS else self.add_row(key)
        return counters

    cdef MethodCounters add_row(self, tuple key):
        cdef Row* row = &self.own.table[self.own.rows]
        cdef bytes name, method
        name, method = key
        memcpy(row.name, <char*>name, len(name))
        memcpy(row.method, <char*>method, len(method))
        self.own.rows += 1  # last: readers see complete names only
        self.known[key] = counters = self.counters_at(self.own.rows - 1)
        return counters

    def device(self, bytes name not None):
        """Return the counters of a device; call it in the process that counts.

        A device that there is no room for shares the last row.
        """
        name = name[:DEVICE_BYTES]
        counters = self.devices.get(name)
        if counters is None:
            counters = self.add_device(name)
        return counters

    cdef DeviceCounters add_device(self, bytes name):
        cdef Py_ssize_t index = self.own.n_devices
        cdef DeviceRow* row
        if index == N_DEVICES:
            counters = self.device_at(index - 1)
        else:
            row = &self.own.devices[index]
            memcpy(row.name, <char*>name, len(name))
            reset(row)
            self.own.n_devices += 1  # last: readers see complete names only
            counters = self.device_at(index)
        self.devices[name] = counters
        return counters

    cdef DeviceCounters device_at(self, Py_ssize_t index):
        cdef DeviceCounters counters = DeviceCounters(self)
        counters.row = &self.own.devices[index]
        return counters

    def set_threads(self, int threads, int jobs):
        """Publish how many executor threads there are, and how many jobs run or wait there."""
        self.own.threads = threads
        self.own.jobs = jobs

    def count_rejected(self):
        """Count a request that found the queue full."""
        self.own.rejected += 1

    def count_dropped(self, Py_ssize_t lines):
        """Count lines of the log that nobody took."""
        self.own.dropped += lines

    def count_error(self, int kind):
        """Count an error by the number of its kind."""
        if 0 <= kind < N_KINDS:
            self.own.errors[kind] += 1

    def errors(self):
        """Return how many errors there were of each kind, in all workers."""
        cdef Py_ssize_t worker, kind
        return [
            sum([self.slots[worker].errors[kind] for worker in range(self.workers)])
            for kind in range(N_KINDS)
        ]

    def count_load(self, Py_ssize_t evicted):
        """Count a load, and the models that it evicted."""
        self.own.loads += 1
        self.own.evictions += evicted

    def count_failed_load(self):
        self.own.failed_loads += 1

    def set_cache(self, Py_ssize_t models, Py_ssize_t bytes):
        """Publish what the cache holds now."""
        self.own.models = models
        self.own.bytes = bytes

    def methods(self):
        """Return MethodNumbers by model and method; both are empty for unmatched requests."""
        cdef Py_ssize_t worker, index
        cdef Row* row
        found = {}
        for worker in range(self.workers):
            for index in range(self.slots[worker].rows):
                row = &self.slots[worker].table[index]
                name, method = key_of(row)
                key = (name.decode("utf-8", "ignore"), method.decode("utf-8", "ignore"))
                numbers = numbers_of(row)
                found[key] = sum_of(found[key], numbers) if key in found else numbers
        return found

    def totals(self):
        """Return Totals."""
        cdef Py_ssize_t worker, index
        cdef Sum sum
        memset(&sum, 0, sizeof(sum))
        for worker in range(self.workers):
            for index in range(self.slots[worker].rows):
                add_totals(&sum, &self.slots[worker].table[index])
        return totals_of(&sum)

    def by_worker(self):
        """Return WorkerNumbers for each worker."""
        cdef Py_ssize_t i
        return [
            WorkerNumbers(
                self.slots[i].pid, self.slots[i].threads, self.slots[i].jobs,
                self.slots[i].models, self.slots[i].bytes, self.slots[i].loads,
                self.slots[i].evictions, self.slots[i].failed_loads, self.slots[i].rejected,
                self.slots[i].dropped,
            )
            for i in range(self.workers)
        ]

    def by_device(self):
        """Return DeviceNumbers by worker and device."""
        cdef Py_ssize_t worker, index
        cdef DeviceRow* row
        found = {}
        for worker in range(self.workers):
            for index in range(self.slots[worker].n_devices):
                row = &self.slots[worker].devices[index]
                found[worker, device_name(row).decode("utf-8", "ignore")] = device_numbers_of(row)
        return found
