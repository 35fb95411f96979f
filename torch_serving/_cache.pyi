from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

class CacheStats(NamedTuple):
    hits: int
    misses: int
    loads: int
    evictions: int
    size: int
    bytes: int

class Cache(Generic[T]):
    capacity: int
    buffer: int
    def __init__(self, capacity: int, buffer: int = 0, group_bytes: int = 0) -> None: ...
    def get(self, key: str) -> T | None: ...
    def put(self, key: str, value: T, bytes: int = 0, group: int = 0) -> list[T]: ...
    def remove(self, key: str) -> bool: ...
    def shrink(self, group: int, bytes: int = 0) -> list[T]: ...
    def stats(self) -> CacheStats: ...
