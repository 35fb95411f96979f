"""Which requests may run on the event loop, by the run times of earlier requests."""

import torch

from torch_serving.engine.inline_policy import (
    MAX_SHAPES,
    PREEMPTED_S,
    SHORT_S,
    WARM_UP_RUNS,
    InlinePolicy,
)

QUICK_S, SLOW_S = SHORT_S / 2, SHORT_S * 2
X, Y, Z = ([torch.empty(size)] for size in (1, 2, 3))


def warm(bounded: bool = True) -> InlinePolicy:
    policy = InlinePolicy(bounded)
    for _ in range(WARM_UP_RUNS):
        policy.record(1000, X, SLOW_S)
    return policy


def test_nothing_is_short_before_it_ran():
    policy = InlinePolicy(True)
    assert not policy.may_run_inline(0)
    assert not policy.can_run_inline(X)
    assert not policy.can_run_inline([])


def test_the_first_runs_decide_nothing():
    policy = InlinePolicy(True)
    for _ in range(WARM_UP_RUNS):
        policy.record(100, X, QUICK_S)
        assert not policy.may_run_inline(0)
        assert not policy.can_run_inline(X)
    policy.record(100, X, QUICK_S)
    assert policy.may_run_inline(100)
    assert policy.can_run_inline(X)


def test_what_may_be_short_are_bodies_up_to_the_largest_that_was():
    policy = warm()
    policy.record(100, X, QUICK_S)
    assert [policy.may_run_inline(size) for size in (0, 100, 101)] == [True, True, False]
    policy.record(200, Y, QUICK_S)
    policy.record(50, Z, QUICK_S)
    assert [policy.may_run_inline(size) for size in (200, 201)] == [True, False]


def test_what_is_short_are_inputs_of_the_same_shapes():
    policy = warm()
    policy.record(100, [torch.empty(2, 3), torch.empty(1)], QUICK_S)
    assert policy.can_run_inline([torch.ones(2, 3), torch.ones(1)])
    for shapes in ([(2, 3)], [(3, 2), (1,)], [(6,), (1,)], [(2, 3), (2,)], [(1,), (2, 3)], []):
        assert not policy.can_run_inline([torch.empty(shape) for shape in shapes])
    assert not policy.can_run_inline([torch.empty(2, 3), 1])
    assert not policy.can_run_inline([[torch.empty(2, 3)], torch.empty(1)])


def test_no_inputs_have_shapes_too():
    policy = warm()
    policy.record(2, [], QUICK_S)
    assert policy.can_run_inline([])
    assert not policy.can_run_inline(X)


def test_two_runs_in_a_row_that_take_longer_end_it_for_their_shapes():
    policy = warm()
    policy.record(200, X, QUICK_S)
    policy.record(200, Y, QUICK_S)
    policy.record(150, X, SLOW_S)
    assert policy.can_run_inline(X)  # it may have been preempted
    policy.record(150, Y, QUICK_S)
    policy.record(150, X, SLOW_S)
    assert [policy.can_run_inline(inputs) for inputs in (X, Y)] == [False, True]
    policy.record(100, X, QUICK_S)
    assert policy.can_run_inline(X)


def test_a_run_that_takes_longer_now_and_then_changes_nothing():
    policy = warm()
    for _ in range(10):
        policy.record(200, X, QUICK_S)
        policy.record(200, X, SLOW_S)
        assert policy.can_run_inline(X)


def test_a_run_that_takes_very_long_ends_it_at_once():
    policy = warm()
    policy.record(200, X, QUICK_S)
    policy.record(200, X, 2 * PREEMPTED_S)
    assert not policy.can_run_inline(X)


def test_other_shapes_that_take_longer_change_nothing():
    policy = warm()
    policy.record(100, X, QUICK_S)
    policy.record(101, Y, SLOW_S)
    policy.record(99, Y, SLOW_S)
    assert [policy.can_run_inline(inputs) for inputs in (X, Y)] == [True, False]
    assert [policy.may_run_inline(size) for size in (100, 101)] == [True, False]


def test_inputs_that_are_not_all_tensors_are_never_short():
    policy = warm()
    for inputs in ([1], ["a"], [None], [[torch.empty(1)]], [torch.empty(1), 0.5]):
        policy.record(100, inputs, QUICK_S)
        assert not policy.can_run_inline(inputs)
    assert not policy.may_run_inline(0)


def test_the_oldest_shapes_are_forgotten():
    policy = warm()
    inputs = [[torch.empty(0, size)] for size in range(MAX_SHAPES + 1)]
    for each in inputs:
        policy.record(100, each, QUICK_S)
    assert [policy.can_run_inline(each) for each in inputs] == [False] + [True] * MAX_SHAPES


def test_what_is_not_bounded_is_never_short():
    policy = warm(bounded=False)
    for _ in range(10):
        policy.record(100, X, QUICK_S)
    assert not policy.may_run_inline(0)
    assert not policy.can_run_inline(X)
