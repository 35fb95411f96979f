from libc.stddef cimport size_t
from libcpp cimport bool
from libcpp.vector cimport vector


cdef extern from "cache/lru_cache.h" namespace "torch_serving" nogil:
    cppclass LruCache[Key, Value]:
        LruCache(size_t capacity, size_t buffer, size_t group_bytes) except +
        Value* get(const Key& key) noexcept
        size_t put(
            const Key& key, Value value, size_t bytes, int group, vector[Value]* dropped
        ) except +
        size_t shrink(int group, size_t bytes, vector[Value]* dropped) except +
        bool remove(const Key& key, vector[Value]* dropped) except +
        void clear(vector[Value]* dropped) except +
        void list(vector[Value]* values) except +
        size_t size() noexcept
        size_t bytes() noexcept
