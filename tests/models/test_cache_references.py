"""The cache holds one reference to each value, and none to what left it."""

import gc
import sys
import weakref

import pytest

from torch_serving.models._cache import Cache


class Model:
    """Something that a weak reference can point at."""

    def __init__(self, name="model"):
        self.name = name


@pytest.mark.parametrize("get_rid", ["evict", "replace", "remove", "destroy"])
def test_values_are_freed(get_rid):
    cache = Cache(1)
    model = Model()
    gone = weakref.ref(model)
    cache.put("a", model)
    del model
    assert gone() is not None
    if get_rid == "evict":
        cache.put("b", Model())
    elif get_rid == "replace":
        cache.put("a", Model())
    elif get_rid == "remove":
        cache.remove("a")
    else:
        del cache
    assert gone() is None


def test_values_are_not_freed_while_somebody_has_them():
    cache = Cache(1)
    gone = weakref.ref(model := Model())
    cache.put("a", model)
    del model
    evicted = cache.put("b", Model())
    assert evicted == [gone()]
    del evicted
    assert gone() is None
    mine = cache.get("b")
    cache.remove("b")
    assert mine.name == "model"


def test_references_are_balanced():
    cache = Cache(1, 1)
    model = Model()
    before = sys.getrefcount(model)
    cache.put("a", model)
    assert sys.getrefcount(model) == before + 1
    for _ in range(1000):
        assert cache.get("a") is model
    assert sys.getrefcount(model) == before + 1
    for _ in range(1000):
        cache.put("a", model)
        cache.put("b", model)
        cache.put("c", model)
        cache.remove("c")
    del cache
    gc.collect()
    assert sys.getrefcount(model) == before


def test_a_destructor_may_use_the_cache():
    cache = Cache(1)
    seen = []

    class Curious:
        def __del__(self):
            seen.append((cache.get("b"), cache.stats().size, cache.remove("b")))

    cache.put("a", Curious())
    cache.put("b", "value of b")
    assert seen == [("value of b", 1, True)]
