"""The rule of copies, as a table."""

import pytest

from torch_serving.ray.copies import WINDOW, Rates, busiest, copies_for

CASES = [
    # counts, nodes, copies before -> copies
    ({"a": 100, "b": 100, "c": 100, "d": 100}, 4, {}, {"a": 2, "b": 2, "c": 2, "d": 2}),
    ({f"m{each}": 10 for each in range(80)}, 4, {}, {}),  # each one has less than half a share
    ({"a": 500, "b": 500}, 1, {}, {}),  # there is no other node
    ({"hot": 1000}, 4, {}, {"hot": 8}),  # two places may be on one node
    ({"hot": 251, "others": 0, **{f"m{each}": 10 for each in range(75)}}, 4, {}, {"hot": 3}),
    # lowered only where clearly too many
    ({"hot": 250, **{f"m{each}": 10 for each in range(75)}}, 4, {"hot": 3}, {"hot": 3}),
    ({"hot": 125, **{f"m{each}": 10 for each in range(88)}}, 4, {"hot": 3}, {}),
    ({"hot": 125, **{f"m{each}": 10 for each in range(88)}}, 4, {"hot": 2}, {"hot": 2}),
    ({"new": 800}, 4, {"gone": 3}, {"new": 8}),  # who is not asked for has one
    ({"hot": 300, **{f"m{each}": 10 for each in range(50)}}, 2, {"hot": 5}, {"hot": 2}),
    ({}, 4, {"hot": 2}, {}),
]


@pytest.mark.parametrize(("counts", "nodes", "before", "copies"), CASES)
def test_one_copy_brings_a_node_half_its_share_at_most(
    counts: dict[str, int], nodes: int, before: dict[str, int], copies: dict[str, int]
):
    assert copies_for(counts, nodes, before) == copies


def test_copies_are_counted_after_enough_requests():
    rates = Rates()
    assert not rates.add({"hot": WINDOW}, WINDOW, nodes=2)
    assert rates.copies is None  # balancers keep those they have
    assert rates.add({"hot": WINDOW}, WINDOW, nodes=2)
    assert rates.copies == {"hot": 4}
    assert not rates.add({"hot": 2 * WINDOW}, 2 * WINDOW, nodes=2)  # as before


def test_requests_of_models_that_are_not_told_count_as_well():
    rates = Rates()
    assert rates.add({"warm": 10}, 4 * WINDOW, nodes=4)
    assert rates.copies == {}


def test_the_busiest_models_are_told():
    assert busiest({"a": 1, "b": 3, "c": 2}, 2) == {"b": 3, "c": 2}
