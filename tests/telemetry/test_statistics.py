"""Counters in memory that processes share."""

import os

import pytest

from torch_serving.server.ipc.loaded_models import LoadedModels
from torch_serving.server.ipc.shared_document import SharedDocument
from torch_serving.telemetry._counters import (
    CODES,
    ROWS,
    SECONDS,
    SIZES,
    STEPS,
    MethodCounters,
    Statistics,
)


def test_a_method_s_counters():
    statistics = Statistics()
    counters = statistics.counters(b"a.pt", b"forward")
    for code in (200, 200, 400, 418, -1, 10**6):
        counters.observe_response(code, 0.0002)
    counters.observe_step(STEPS.index("forward"), 0.003)
    counters.observe_step(STEPS.index("forward"), 1000.0)
    for size in (1, 2, 3, 5000):
        counters.observe_batch(size)
    counters.count_cold_start()
    counters.count_load()
    numbers = statistics.methods()["a.pt", "forward"]
    assert numbers == counters.numbers()
    assert numbers.codes == {200: 2, 400: 1, 500: 3}
    assert (numbers.loads, numbers.cold_starts) == (1, 1)
    assert numbers.last_s > 0
    buckets, total = numbers.steps["forward"]
    assert buckets[SECONDS.index(0.005)] == 1
    assert buckets[-1] == 1
    assert total == 1000.003
    assert sum(numbers.steps["request"][0]) == 6
    runs, requests = numbers.batches
    assert [runs[SIZES.index(size)] for size in (1, 2, 4)] == [1, 1, 1]
    assert runs[-1] == 1
    assert requests == 5006


@pytest.mark.parametrize("bound", SECONDS)
def test_a_bound_belongs_to_its_bucket(bound: float):
    counters = MethodCounters()
    counters.observe_step(0, bound)
    buckets, _ = counters.numbers().steps["request"]
    assert buckets.index(1) == SECONDS.index(bound)


def test_every_code_has_a_counter_of_its_own():
    counters = MethodCounters()
    for code in CODES:
        counters.observe_response(code, 0.0)
    assert counters.numbers().codes == dict.fromkeys(CODES, 1)


def test_steps_that_there_are_not():
    for step in (-1, len(STEPS)):
        with pytest.raises(IndexError):
            MethodCounters().observe_step(step, 0.0)
    with pytest.raises(IndexError):
        Statistics(2).attach(2)


def test_workers_are_added_up_and_their_successors_go_on():
    statistics = Statistics(2)
    for worker in (0, 1, 1):
        pid = os.fork()
        if pid == 0:
            statistics.attach(worker)
            statistics.counters(b"b.pt", b"forward")  # another order in each
            statistics.counters(b"a.pt", b"forward").observe_response(200, 1.0)
            statistics.set_threads(2, 1)
            statistics.count_load(evicted=3)
            os._exit(0)
        os.waitpid(pid, 0)
    numbers = statistics.methods()["a.pt", "forward"]
    assert numbers.codes == {200: 3}
    assert numbers.steps["request"][1] == 3.0
    assert [worker.loads for worker in statistics.by_worker()] == [1, 2]
    assert [worker.evictions for worker in statistics.by_worker()] == [3, 6]
    statistics.attach(1)
    assert [worker.jobs for worker in statistics.by_worker()] == [1, 0]
    assert statistics.by_worker()[1].pid == os.getpid()


def test_memory_is_bounded_however_many_models_there_are():
    statistics = Statistics()
    for index in range(ROWS + 100):
        statistics.counters(f"{index}.pt".encode(), b"forward").observe_response(200, 0.0)
    statistics.counters(b"x" * 10_000, b"y" * 10_000).observe_response(400, 0.0)
    methods = statistics.methods()
    assert len(methods) == ROWS
    assert methods["0.pt", "forward"].codes == {200: 1}
    assert sum(sum(numbers.codes.values()) for numbers in methods.values()) == ROWS + 101
    assert methods["other", ""].codes == {200: 102, 400: 1}


def test_a_document_that_another_process_writes():
    document = SharedDocument(100)
    assert document.read() is None
    assert not document.has_changed()
    for value in ({"a": 1}, [], {"ü": None}):
        pid = os.fork()
        if pid == 0:
            document.write(value)
            os._exit(0)
        os.waitpid(pid, 0)
        assert document.has_changed()
        assert document.read() == value
        assert not document.has_changed()
    document.write("x" * 200)
    assert document.read() is None


def test_each_worker_has_a_list_of_its_own():
    loaded_models = LoadedModels(2)
    loaded_models.publish([{"identifier": "the parent's"}])  # which serves nothing
    loaded_models.attach(0)
    loaded_models.publish([{"identifier": "a.pt"}])
    loaded_models.attach(1)
    loaded_models.publish([{"identifier": "b.pt"}])
    assert loaded_models.read() == [[{"identifier": "a.pt"}], [{"identifier": "b.pt"}]]
    loaded_models.detach(0)
    assert loaded_models.read() == [[], [{"identifier": "b.pt"}]]
