"""What is seen of cards, how much of them is taken, and what goes back; without a card."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.support.client import LIMIT_S
from tests.support.fake_device import emptied_cards
from torch_serving.engine import device_monitor
from torch_serving.engine.device_monitor import IDLE_SAMPLES, DeviceMonitor
from torch_serving.engine.memory import ALLOCATOR
from torch_serving.errors import DeviceFailed
from torch_serving.telemetry._counters import Statistics

CARD, SECOND = torch.device("cuda", 0), torch.device("cuda", 1)
GIB = 1 << 30


class Driver:
    """Two cards of 80 GiB. `reserved` is what the allocator holds; 1 GiB of it is in use."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.initialized = True
        self.reserved = 3 * GIB
        self.emptied = 0
        self.opened: list[torch.device] = []
        self.limits: list[tuple[float, torch.device]] = []
        self.utilization: Any = lambda device: 25
        emptied_cards(monkeypatch)
        for name, double in {
            "is_initialized": lambda: self.initialized,
            "empty_cache": self.empty_cache,
            "mem_get_info": self.mem_get_info,
            "memory_stats": lambda device: {
                "allocated_bytes.all.current": GIB,
                "reserved_bytes.all.current": self.reserved,
            },
            "utilization": lambda device: self.utilization(device),
            "get_device_properties": lambda device: SimpleNamespace(total_memory=80 * GIB),
            "set_per_process_memory_fraction": self.limit,
        }.items():
            monkeypatch.setattr(torch.cuda, name, double)
        monkeypatch.setattr(device_monitor, "open_device", self.opened.append)
        monkeypatch.setattr(device_monitor, "PERIOD_S", LIMIT_S)  # the tests take the samples

    def mem_get_info(self, device: torch.device) -> tuple[int, int]:
        assert ALLOCATOR.locked()  # no capture is under way
        return 70 * GIB, 80 * GIB

    def limit(self, fraction: float, device: torch.device) -> None:
        assert device in self.opened
        self.limits.append((fraction, device))

    def empty_cache(self) -> None:
        self.emptied += 1
        self.reserved = GIB


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    return Driver(monkeypatch)


@pytest.fixture
def statistics() -> Statistics:
    return Statistics()


@pytest.fixture
def monitor(driver: Driver, statistics: Statistics):
    monitor = DeviceMonitor(statistics)
    yield monitor
    monitor.close()


def test_gauges_of_the_cards_in_use(
    driver: Driver,
    monitor: DeviceMonitor,
    statistics: Statistics,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(device_monitor, "graphs_on", {SECOND: 7}.get)
    monitor.use(torch.device("cpu"))
    monitor.use(SECOND)
    monitor.sample()
    numbers = statistics.by_device()
    assert list(numbers) == [(0, "cuda:1")]
    numbers = numbers[0, "cuda:1"]
    assert (numbers.allocated, numbers.reserved) == (GIB, 3 * GIB)
    assert (numbers.free, numbers.total, numbers.utilization) == (70 * GIB, 80 * GIB, 25)
    assert (numbers.graphs, numbers.up) == (7, True)


def test_cuda_is_not_initialised_by_a_look(
    driver: Driver, monitor: DeviceMonitor, statistics: Statistics
):
    driver.initialized = False
    monitor.use(CARD)
    monitor.sample()
    assert statistics.by_device()[0, "cuda:0"].total == 0


@pytest.mark.parametrize("error", [ModuleNotFoundError("pynvml"), RuntimeError("NVML: MIG")])
def test_a_card_whose_utilization_nobody_knows(
    driver: Driver, monitor: DeviceMonitor, statistics: Statistics, error: Exception
):
    asked = []

    def refuse(device: torch.device) -> int:
        asked.append(device)
        raise error

    driver.utilization = refuse
    monitor.use(CARD)
    monitor.sample()
    monitor.sample()
    assert asked == [CARD]
    numbers = statistics.by_device()[0, "cuda:0"]
    assert (numbers.total, numbers.utilization) == (80 * GIB, None)


def test_a_card_in_error_does_not_end_the_thread(
    driver: Driver, monitor: DeviceMonitor, monkeypatch: pytest.MonkeyPatch
):
    def fail(device: torch.device) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "mem_get_info", fail)
    monitor.use(CARD)
    monitor.sample()


def test_a_card_that_is_in_error_as_it_is_opened_is_published(
    driver: Driver,
    monitor: DeviceMonitor,
    statistics: Statistics,
    monkeypatch: pytest.MonkeyPatch,
):
    def fail(device: torch.device) -> None:
        raise DeviceFailed(f"`{device}` is in error", lost=False)

    with monkeypatch.context() as patched:
        patched.setattr(device_monitor, "open_device", fail)
        with pytest.raises(DeviceFailed):
            monitor.use(CARD)
    assert statistics.by_device()[0, "cuda:0"].up is False
    monitor.use(CARD)
    assert statistics.by_device()[0, "cuda:0"].up is True


def test_an_idle_process_gives_memory_back_once(
    driver: Driver, monitor: DeviceMonitor, statistics: Statistics
):
    monitor.use(CARD)
    for _ in range(IDLE_SAMPLES):
        monitor.sample()
    assert driver.emptied == 0
    monitor.sample()
    assert driver.emptied == 1
    assert statistics.by_device()[0, "cuda:0"].reserved == GIB
    for _ in range(3 * IDLE_SAMPLES):
        monitor.sample()
    assert driver.emptied == 1
    statistics.device(b"cuda:0").count_batch(1)
    for _ in range(IDLE_SAMPLES + 1):
        monitor.sample()
    assert driver.emptied == 2


def test_what_was_loaded_without_a_request_counts_as_work(driver: Driver, monitor: DeviceMonitor):
    monitor.use(CARD)
    for _ in range(2 * IDLE_SAMPLES):
        monitor.sample()
    driver.reserved = 5 * GIB
    for _ in range(IDLE_SAMPLES + 1):
        monitor.sample()
    assert driver.emptied == 2


def test_a_process_with_a_request_in_flight_is_not_idle(driver: Driver, statistics: Statistics):
    in_flight = {"a request"}
    monitor = DeviceMonitor(statistics, in_flight)
    monitor.use(CARD)
    for _ in range(3 * IDLE_SAMPLES):
        monitor.sample()
    assert driver.emptied == 0
    in_flight.clear()
    for _ in range(IDLE_SAMPLES):
        monitor.sample()
    assert driver.emptied == 1
    monitor.close()


@pytest.mark.parametrize(
    ("limit", "fraction"), [(0.4, 0.4), (8 * GIB, 0.1), (200 * GIB, 1.0), (1.0, 1.0)]
)
def test_a_limit_is_set_once_for_each_card_before_it_is_used(
    driver: Driver, statistics: Statistics, limit: float, fraction: float
):
    monitor = DeviceMonitor(statistics, memory_limit=limit)
    for device in (CARD, torch.device("cpu"), SECOND, CARD):
        monitor.use(device)
    assert driver.limits == [(fraction, CARD), (fraction, SECOND)]
    assert driver.opened == [CARD, SECOND]
    monitor.close()


def test_a_card_that_another_thread_opens_meanwhile(
    driver: Driver, monitor: DeviceMonitor, statistics: Statistics
):
    class Lock:
        def __enter__(self) -> None:
            monitor._counters[CARD] = statistics.device(b"cuda:0")

        def __exit__(self, *_: object) -> None:
            pass

    monitor._lock = Lock()  # type: ignore[assignment]
    monitor.use(CARD)
    assert driver.opened == []


def test_without_a_limit_none_is_set(driver: Driver, monitor: DeviceMonitor):
    monitor.use(CARD)
    assert driver.limits == []


def test_one_thread_watches_and_only_where_there_is_a_card(
    driver: Driver, monitor: DeviceMonitor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(device_monitor, "PERIOD_S", 0.001)
    sampled = threading.Event()
    monkeypatch.setattr(monitor, "sample", sampled.set)
    before = set(threading.enumerate())
    monitor.use(torch.device("cpu"))
    assert set(threading.enumerate()) <= before
    monitor.use(CARD)
    monitor.use(SECOND)
    assert sampled.wait(LIMIT_S)
    assert [each.name for each in set(threading.enumerate()) - before] == ["device-monitor"]
