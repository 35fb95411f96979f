# distutils: language = c++
"""The model cache: a least-recently-used map behind one lock.

The lock guards the map and the counters, and is held for pointer work only: what an insertion
pushes out is handed to the caller, so that freeing a large model never holds up a look-up. Safe to
use from any thread (tests/models/test_cache.py::test_threads_never_see_a_wrong_value).
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libcpp.string cimport string
from libcpp.vector cimport vector

from cache.lru_cache cimport LruCache

from types import GenericAlias
from typing import NamedTuple


class CacheStats(NamedTuple):
    """Counters since the start; `size` values of so many `bytes` are held now."""

    hits: int
    misses: int
    loads: int
    evictions: int
    size: int
    bytes: int


cdef list take(vector[PyObject*]& dropped):
    """Turn owned pointers into a list that owns them."""
    cdef list values = []
    cdef PyObject* value
    for value in dropped:
        values.append(<object>value)
        Py_DECREF(<object>value)
    return values


@cython.final
cdef class Cache:
    """Keeps up to `capacity + buffer` values; one more, and the oldest go, down to `capacity`.

    Of the values of each group, a device, the oldest go too while they take more than `group_bytes`
    together (0: no limit). The newest value stays, however large.
    """

    cdef LruCache[string, PyObject*]* entries
    cdef cython.pymutex lock
    cdef readonly size_t capacity
    cdef readonly size_t buffer
    cdef size_t hits, misses, loads, evictions

    __class_getitem__ = classmethod(GenericAlias)

    def __cinit__(self, size_t capacity, size_t buffer=0, size_t group_bytes=0):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.buffer = buffer
        self.entries = new LruCache[string, PyObject*](capacity, buffer, group_bytes)

    def __dealloc__(self):
        cdef vector[PyObject*] dropped
        if self.entries is not NULL:
            self.entries.clear(&dropped)
            take(dropped)
            del self.entries

    def get(self, str key):
        """Return the value and make it the most recently used, or None: one look-up, one lock."""
        cdef string name = key.encode()
        cdef PyObject** found
        cdef object value = None
        with self.lock:
            found = self.entries.get(name)
            if found is NULL:
                self.misses += 1
            else:
                self.hits += 1
                value = <object>found[0]
        return value

    def put(self, str key, object value not None, size_t bytes=0, int group=0):
        """Insert or replace a value; return the evicted ones, for the caller to drop."""
        cdef string name = key.encode()
        cdef vector[PyObject*] dropped
        Py_INCREF(value)
        try:
            with self.lock:
                self.evictions += self.entries.put(
                    name, <PyObject*>value, bytes, group, &dropped
                )
                self.loads += 1
        except BaseException:
            Py_DECREF(value)
            raise
        return take(dropped)

    def remove(self, str key):
        """Drop one value; return whether it was there."""
        cdef string name = key.encode()
        cdef vector[PyObject*] dropped
        with self.lock:
            self.entries.remove(name, &dropped)
        return bool(take(dropped))

    def shrink(self, int group, size_t bytes=0):
        """Drop the oldest values of a group until they take so many bytes at most; return them.

        The value that was used last stays.
        """
        cdef vector[PyObject*] dropped
        with self.lock:
            self.evictions += self.entries.shrink(group, bytes, &dropped)
        return take(dropped)

    def values(self):
        """Return all values, the most recently used first."""
        cdef vector[PyObject*] listed
        cdef PyObject* value
        with self.lock:
            self.entries.list(&listed)
            for value in listed:
                Py_INCREF(<object>value)
        return take(listed)

    def stats(self):
        """Return the counters."""
        with self.lock:
            return CacheStats(
                self.hits, self.misses, self.loads, self.evictions, self.entries.size(),
                self.entries.bytes(),
            )
