"""Counters in memory that processes share."""

import os
from typing import Any

import pytest

from torch_serving.server.ipc.loaded_models import LoadedModels
from torch_serving.server.ipc.shared_document import SharedDocument
from torch_serving.telemetry import prometheus
from torch_serving.telemetry._counters import (
    CODES,
    DEVICES,
    ROWS,
    SECONDS,
    SIZES,
    STEPS,
    DeviceCounters,
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


def test_a_device_s_counters():
    statistics = Statistics()
    counters = statistics.device(b"cuda:0")
    assert statistics.device(b"cuda:0") is counters
    assert counters.numbers() == (0, 0, 0, 0, 0, 0, 0, 0, None, None)
    counters.count_batch(3, 1)
    counters.count_batch(8)
    counters.set_graphs(4)
    counters.set_memory(allocated=2**40, reserved=2**41, free=5, total=2**42)
    counters.set_utilization(37.5)
    counters.set_up(True)
    assert statistics.by_device() == {(0, "cuda:0"): counters.numbers()}
    assert counters.numbers() == (2, 11, 1, 4, 2**40, 2**41, 5, 2**42, 37.5, True)
    alone = DeviceCounters()
    alone.count_batch(1, 2)
    assert alone.numbers() == (1, 1, 2, 0, 0, 0, 0, 0, None, None)


@pytest.mark.parametrize("end", [Statistics.detach, Statistics.attach])
def test_a_worker_that_ends_leaves_what_it_counted_on_a_device_but_no_gauges(end: Any):
    statistics = Statistics(2)
    pid = os.fork()
    if pid == 0:
        statistics.attach(1)
        for name in (b"cuda:0", b"cuda:1"):
            statistics.device(name).count_batch(3, 1)
            statistics.device(name).set_memory(1, 2, 3, 4)
            statistics.device(name).set_graphs(5)
            statistics.device(name).set_utilization(6)
            statistics.device(name).set_up(False)
        os._exit(0)
    os.waitpid(pid, 0)
    assert statistics.by_device()[1, "cuda:1"] == (1, 3, 1, 5, 1, 2, 3, 4, 6, False)
    end(statistics, 1)
    left = (1, 3, 1, 0, 0, 0, 0, 0, None, None)
    assert statistics.by_device() == {(1, "cuda:0"): left, (1, "cuda:1"): left}
    statistics.attach(1)
    statistics.device(b"cuda:1").count_batch(1)
    assert statistics.by_device()[1, "cuda:1"].rows == 4


def test_devices_beyond_those_that_there_is_room_for_share_a_row():
    statistics = Statistics()
    for index in range(DEVICES + 3):
        statistics.device(b"x" * 1000 * (index == 1) or b"cuda:%d" % index).count_batch(1)
    found = statistics.by_device()
    assert len(found) == DEVICES
    assert found[0, "x" * 32].rows == 1
    assert found[0, f"cuda:{DEVICES - 1}"].rows == 4


def test_metrics_of_devices():
    statistics = Statistics(2)
    statistics.attach(1)
    counters = statistics.device(b"cuda:0")
    counters.count_batch(3, 1)
    counters.set_graphs(4)
    metrics = prometheus.Metrics(statistics, parent_slot=-1)

    def samples() -> dict[str, str]:
        prefix, labels = "torch_serving_device_", '{device="cuda:0",worker="1"}'
        lines = metrics.text().decode().splitlines()
        named = [line.removeprefix(prefix).split() for line in lines if line.startswith(prefix)]
        return {name.removesuffix(labels): value for name, value in named}

    counted = {"batches_total": "1.0", "rows_total": "3.0", "padded_rows_total": "1.0"}
    assert samples() == {**counted, "graphs": "4.0"}
    counters.set_memory(allocated=1, reserved=2, free=3, total=4)
    counters.set_utilization(37.5)
    memory = ("allocated", "reserved", "free", "total")
    assert samples() == {
        **counted,
        "graphs": "4.0",
        "utilization_ratio": "0.375",
        **{f"memory_{name}_bytes": f"{n}.0" for n, name in enumerate(memory, 1)},
    }
    for is_up, value in ((True, "1.0"), (False, "0.0")):
        counters.set_up(is_up)
        assert samples()["up"] == value
    statistics.detach(1)
    assert samples() == {**counted, "graphs": "0.0"}


def test_a_model_that_runs_on_the_cpu_has_no_copies():
    statistics = Statistics()
    for model in (b"cpu.pt", b"cuda.pt"):
        statistics.counters(model, b"forward").observe_step(STEPS.index("forward"), 0.01)
    statistics.counters(b"cuda.pt", b"forward").observe_step(STEPS.index("copy"), 0.02)
    text = prometheus.Metrics(statistics, parent_slot=-1).text().decode()
    copies = [line for line in text.splitlines() if 'step="copy"' in line]
    assert copies
    assert all('model="cuda.pt"' in line for line in copies)
    assert (
        'torch_serving_step_seconds_sum{method="forward",model="cuda.pt",step="copy"} 0.02' in text
    )


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
