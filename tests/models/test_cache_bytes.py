"""The cache's budget of bytes for each group."""

from torch_serving.models._cache import Cache


def contents(cache: Cache[object], keys: str) -> str:
    return "".join(key for key in keys if cache.get(key) is not None)


def test_a_group_takes_at_most_so_many_bytes():
    cache: Cache[object] = Cache(100, group_bytes=10)
    for key, size, group in [("a", 4, 0), ("b", 4, 0), ("x", 9, 1), ("c", 2, 0)]:
        assert cache.put(key, object(), size, group) == []
    assert cache.stats().bytes == 19
    assert len(cache.put("d", object(), 3, 0)) == 1  # 13 bytes: the oldest goes
    assert contents(cache, "abcdx") == "bcdx"
    assert len(cache.put("y", object(), 9, 1)) == 1  # the other group has a budget of its own
    assert contents(cache, "bcdxy") == "bcdy"
    assert cache.stats().evictions == 2


def test_what_is_larger_than_all_that_is_allowed_stays_alone():
    cache: Cache[object] = Cache(100, group_bytes=10)
    cache.put("a", object(), 5)
    assert len(cache.put("b", object(), 50)) == 1
    assert contents(cache, "ab") == "b"
    assert len(cache.put("c", object(), 1)) == 1
    assert contents(cache, "bc") == "c"


def test_replacing_counts_bytes_once():
    cache: Cache[object] = Cache(100, group_bytes=10)
    for _ in range(5):
        assert len(cache.put("a", object(), 6)) <= 1
    assert cache.stats()[3:] == (0, 1, 6)


def test_a_group_can_be_shrunk():
    cache: Cache[object] = Cache(100)
    for key, group in [("a", 0), ("b", 1), ("c", 0), ("d", 0)]:
        cache.put(key, object(), 5, group)
    assert len(cache.shrink(0, 10)) == 1
    assert contents(cache, "abcd") == "bcd"
    cache.get("c")
    assert len(cache.shrink(0)) == 1  # the one that was used last stays
    assert contents(cache, "bcd") == "bc"
    assert len(cache.shrink(1)) == 1
    assert cache.shrink(7) == []
    assert contents(cache, "bc") == "c"


def test_both_limits_hold():
    cache: Cache[object] = Cache(2, group_bytes=10)
    for key in "abcd":
        cache.put(key, object(), 4)
    assert contents(cache, "abcd") == "cd"
