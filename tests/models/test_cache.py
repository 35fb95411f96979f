import gc
import random
import sys
import threading
import weakref

import pytest

from torch_serving.models._cache import Cache, CacheStats


class Model:
    """Something that a weak reference can point at."""

    def __init__(self, name="model"):
        self.name = name


def filled(keys, capacity=2, buffer=0):
    cache = Cache(capacity, buffer)
    for key in keys:
        cache.put(key, f"value of {key}")
    return cache


def held(cache, keys):
    """Which of these keys are in the cache; looking changes their order."""
    return "".join(key for key in keys if cache.get(key) is not None)


def test_what_was_put_is_found():
    cache = Cache(2)
    assert cache.get("a") is None
    model = Model()
    assert cache.put("a", model) == []
    assert cache.get("a") is model
    assert cache.get("b") is None


@pytest.mark.parametrize(
    ("capacity", "buffer", "keys", "evicted"),
    [
        (1, 0, "ab", [[], ["a"]]),
        (2, 0, "abcd", [[], [], ["a"], ["b"]]),
        (2, 1, "abcd", [[], [], [], ["a", "b"]]),
        (2, 1, "abcdef", [[], [], [], ["a", "b"], [], ["c", "d"]]),
        (1, 3, "abcde", [[], [], [], [], ["a", "b", "c", "d"]]),
        (3, 2, "abcde", [[], [], [], [], []]),
    ],
)
def test_one_too_many_and_the_oldest_go(capacity, buffer, keys, evicted):
    cache = Cache(capacity, buffer)
    assert [cache.put(key, key) for key in keys] == evicted
    assert cache.stats().evictions == sum(map(len, evicted))
    assert cache.stats().size == len(keys) - cache.stats().evictions
    gone = {key for batch in evicted for key in batch}
    assert held(cache, keys) == "".join(key for key in keys if key not in gone)


def test_what_was_asked_for_is_kept():
    cache = filled("abc", capacity=3)
    cache.get("a")
    assert cache.put("d", "value of d") == ["value of b"]
    cache.get("c")
    assert cache.put("e", "value of e") == ["value of a"]
    assert held(cache, "abcde") == "cde"


def test_evictions_go_by_the_last_use():
    cache = filled("abcd", capacity=1, buffer=3)
    for key in "cabd":
        cache.get(key)
    assert cache.put("e", "value of e") == [f"value of {key}" for key in "cabd"]


def test_asking_for_what_is_not_there_keeps_nothing():
    cache = filled("ab")
    assert cache.get("x") is None
    assert cache.put("c", "value of c") == ["value of a"]


def test_replacing_evicts_nobody_else():
    cache = filled("ab")
    assert cache.put("a", "new") == ["value of a"]
    assert cache.get("a") == "new"
    assert cache.get("b") == "value of b"
    assert cache.stats() == CacheStats(hits=2, misses=0, loads=3, evictions=0, size=2, bytes=0)


def test_what_was_replaced_is_the_newest():
    cache = filled("ab")
    cache.put("a", "new")
    assert cache.put("c", "value of c") == ["value of b"]


def test_replacing_a_value_by_itself():
    cache = Cache(1)
    model = Model()
    count = sys.getrefcount(model)
    cache.put("a", model)
    assert cache.put("a", model) == [model]
    assert cache.get("a") is model
    assert sys.getrefcount(model) == count + 1


def test_removing():
    cache = filled("ab")
    assert cache.remove("a") is True
    assert cache.remove("a") is False
    assert cache.remove("x") is False
    assert held(cache, "ab") == "b"
    assert cache.put("c", "value of c") == []
    assert cache.stats().evictions == 0
    assert cache.stats().size == 2


def test_counters():
    cache = Cache(1)
    assert cache.stats() == CacheStats(hits=0, misses=0, loads=0, evictions=0, size=0, bytes=0)
    cache.get("a")
    cache.put("a", 1)
    cache.get("a")
    cache.get("a")
    cache.put("b", 2)
    cache.get("a")
    assert cache.stats() == CacheStats(hits=2, misses=2, loads=2, evictions=1, size=1, bytes=0)


@pytest.mark.parametrize(
    ("capacity", "buffer"), [(2**40, 0), (2**64 - 1, 0), (1, 2**40), (1, 2**62), (2, 2**64 - 1)]
)
def test_room_that_is_not_used_costs_nothing(capacity, buffer):
    cache = Cache(capacity, buffer)
    assert [cache.put(key, key) for key in "abcde"] == [[]] * 5
    assert cache.stats().size == 5


def test_keys_differ_by_every_character():
    keys = ["", "a", "A", "a\0", "a\0b", "é", "e\u0301", "😀", "a" * 10_000, "a" * 10_001]
    cache = Cache(len(keys))
    for key in keys:
        cache.put(key, key)
    assert [cache.get(key) for key in keys] == keys


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((0,), ValueError),
        ((0, 5), ValueError),
        ((-1,), OverflowError),
        ((1, -1), OverflowError),
        ((2**64,), OverflowError),
        (("1",), TypeError),
        ((), TypeError),
    ],
)
def test_capacities_that_make_no_sense(arguments, error):
    with pytest.raises(error):
        Cache(*arguments)


def test_capacity_and_buffer_can_be_read():
    cache = Cache(3, 2)
    assert (cache.capacity, cache.buffer) == (3, 2)
    assert Cache(1).buffer == 0
    with pytest.raises(AttributeError):
        cache.capacity = 5


@pytest.mark.parametrize("key", [1, None, b"a", "\ud800"])
def test_keys_are_text(key):
    cache = filled("a")
    count = sys.getrefcount(Model)
    for call in (cache.get, cache.remove, lambda key: cache.put(key, Model)):
        with pytest.raises((TypeError, AttributeError, UnicodeEncodeError)):
            call(key)
    assert sys.getrefcount(Model) == count
    assert cache.stats() == CacheStats(hits=0, misses=0, loads=1, evictions=0, size=1, bytes=0)


def test_none_is_no_value():
    with pytest.raises(TypeError):
        Cache(1).put("a", None)


def test_the_type_can_be_annotated():
    assert str(Cache[int]).endswith("Cache[int]")
    assert Cache[int](1).get("a") is None


def test_threads_never_see_a_wrong_value():
    cache = Cache(2, 1)
    names = "abcdefgh"
    alive = weakref.WeakSet()
    counts = []
    wrong = []

    def work(seed):
        chance = random.Random(seed)
        gets = puts = 0
        for _ in range(5000):
            name = chance.choice(names)
            model = cache.get(name)
            gets += 1
            if model is None:
                model = Model(name)
                alive.add(model)
                cache.put(name, model)
                puts += 1
            elif chance.random() < 0.05:
                cache.remove(name)
            if model.name != name:
                wrong.append(model)
        counts.append((gets, puts))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert len(counts) == 8
    stats = cache.stats()
    assert stats.hits + stats.misses == sum(gets for gets, _ in counts)
    assert stats.loads == sum(puts for _, puts in counts)
    assert stats.size <= 3
    gc.collect()
    assert len(alive) == stats.size
