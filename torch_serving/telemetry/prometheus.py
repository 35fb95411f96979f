"""The statistics of all workers in Prometheus's text format."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from torch_serving import __version__
from torch_serving.telemetry._counters import (
    DeviceNumbers,
    Statistics,
    WorkerNumbers,
)
from torch_serving.telemetry.error_kinds import KINDS
from torch_serving.telemetry.method_lines import FAMILIES as METHOD_FAMILIES
from torch_serving.telemetry.method_lines import PREFIX, method_lines
from torch_serving.telemetry.processes import process_figures

SPARE = "spare"  # instead of the number of a worker
PARENT = "parent"
# what the parent has, too; it runs no requests, and workers count the models that they inherit
OF_PARENT = {"cache_loads", "cache_failed_loads", "log_dropped"}


class Metrics(Collector):
    """Reads the statistics when Prometheus asks; counting does not pay for that."""

    def __init__(
        self,
        statistics: Statistics,
        parent_slot: int,
        spare_slot: Callable[[], int] = lambda: -1,
        incident_counts: Callable[[], Mapping[str, Mapping[str, int]]] = dict,
    ) -> None:
        """`incident_counts` returns how often what happened to the workers, by name and cause."""
        self._statistics = statistics
        self._parent_slot = parent_slot
        self._spare_slot = spare_slot
        self._incident_counts = incident_counts
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all metrics in the text format. Too slow for a loop with many models."""
        methods = method_lines(self._statistics.methods())
        return generate_latest(self._registry) + "".join(methods).encode()

    def collect(self) -> Iterator[Metric]:
        info = InfoMetricFamily(PREFIX + "build", "What serves here.")
        info.add_metric([], {"version": __version__})
        yield info
        found = self.workers()
        yield from by_worker(found)
        yield from by_process({name: process_figures(each.pid) for name, each in found.items()})
        yield errors(self._statistics.errors())
        yield from incidents(self._incident_counts())
        devices = self._statistics.by_device().items()
        yield from by_device({(self._name_of(slot), name): each for (slot, name), each in devices})

    def workers(self) -> dict[str, WorkerNumbers]:
        """The numbers of each process by the name that it has in metrics."""
        workers = enumerate(self._statistics.by_worker())
        names = ((self._name_of(slot), numbers) for slot, numbers in workers)
        # a slot that is kept for a successor has no numbers
        found = {name: each for name, each in names if each.pid or each.loads}
        if SPARE in found:
            found[SPARE] = found[SPARE]._replace(threads=0)  # they take no requests
        return found

    def _name_of(self, slot: int) -> str:
        if slot == self._parent_slot:
            return PARENT
        return SPARE if slot == self._spare_slot() else str(slot)


def families() -> list[tuple[str, str]]:
    """The names and descriptions of the metrics."""
    found = [
        *(*METHOD_FAMILIES, *by_worker({}), *by_device({})),
        *(*by_process({}), errors([]), *incidents({})),
    ]
    return [(each.name, each.documentation) for each in found]


def by_worker(workers: dict[str, WorkerNumbers]) -> Iterator[Metric]:
    gauges = {
        "threads": "Executor threads, which run models.",
        "threads_busy": "Executor threads that have a request.",
        "queue_length": "Requests that wait for an executor thread.",
        "cache_models": "Models in memory.",
        "cache_bytes": "Bytes of the weights of the models in memory.",
    }
    counters = {
        "cache_loads": "Models that were loaded.",
        "cache_evictions": "Models that were evicted to make room for others.",
        "cache_failed_loads": "Models that could not be loaded.",
        "rejected": "Requests that found the queue full.",
        "log_dropped": "Lines that standard output and error did not take.",
    }
    families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
    for name, text in gauges.items():
        families[name] = GaugeMetricFamily(PREFIX + name, text, labels=["worker"])
    for name, text in counters.items():
        families[name] = CounterMetricFamily(PREFIX + name, text, labels=["worker"])
    for worker, numbers in workers.items():
        for name, value in values_of(numbers).items():
            if worker != PARENT or name in OF_PARENT:
                families[name].add_metric([worker], value)
    yield from families.values()


def values_of(numbers: WorkerNumbers) -> dict[str, float]:
    return {
        "threads": numbers.threads,
        "threads_busy": min(numbers.threads, numbers.jobs),
        "queue_length": max(0, numbers.jobs - numbers.threads),
        "cache_models": numbers.models,
        "cache_bytes": numbers.bytes,
        "cache_loads": numbers.loads,
        "cache_evictions": numbers.evictions,
        "cache_failed_loads": numbers.failed_loads,
        "rejected": numbers.rejected,
        "log_dropped": numbers.dropped,
    }


def by_device(devices: dict[tuple[str, str], DeviceNumbers]) -> Iterator[Metric]:
    """The accelerators that each worker uses; what is not known of one has no sample."""
    gauges = {
        "up": "1 where the worker serves with the device, 0 where it goes on without it.",
        "memory_allocated_bytes": "Memory that the worker's tensors take on the device.",
        "memory_reserved_bytes": "Memory that the worker's allocator holds: tensors and its cache.",
        "memory_free_bytes": "Memory of the device that no process holds.",
        "memory_total_bytes": "Memory of the device.",
        "utilization_ratio": "Share of time in which the device was busy, for all processes.",
        "graphs": "Graphs that are captured.",
    }
    counters = {
        "batches": "Runs on the device.",
        "rows": "Rows of requests, in all runs.",
        "padded_rows": "Rows that were added to fill batches.",
    }
    families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
    labels = ["worker", "device"]
    for name, text in gauges.items():
        families[name] = GaugeMetricFamily(f"{PREFIX}device_{name}", text, labels=labels)
    for name, text in counters.items():
        families[name] = CounterMetricFamily(f"{PREFIX}device_{name}", text, labels=labels)
    for key, numbers in devices.items():
        for name, value in values_of_device(numbers).items():
            families[name].add_metric(key, value)
    yield from families.values()


def values_of_device(numbers: DeviceNumbers) -> dict[str, float]:
    values: dict[str, float] = {
        "graphs": numbers.graphs,
        "batches": numbers.batches,
        "rows": numbers.rows,
        "padded_rows": numbers.padded,
    }
    if numbers.total:
        for name in ("allocated", "reserved", "free", "total"):
            values[f"memory_{name}_bytes"] = getattr(numbers, name)
    if numbers.up is not None:
        values["up"] = numbers.up
    if numbers.utilization is not None:
        values["utilization_ratio"] = numbers.utilization / 100
    return values


def by_process(processes: dict[str, dict[str, float]]) -> Iterator[Metric]:
    """The figures of each process, under the names that Prometheus's clients give them."""
    gauges = {
        "resident_memory_bytes": "Memory of the process, including shared pages.",
        "start_time_seconds": "When the process was started, since 1970.",
        "open_fds": "Open file descriptors.",
        "max_fds": "The most file descriptors that the process may have.",
    }
    families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {
        name: GaugeMetricFamily(f"process_{name}", text, labels=["worker"])
        for name, text in gauges.items()
    }
    families["cpu_seconds"] = CounterMetricFamily(
        "process_cpu_seconds", "Time of the CPU that the process took.", labels=["worker"]
    )
    for worker, figures in processes.items():
        for name, value in figures.items():
            families[name].add_metric([worker], value)
    yield from families.values()


def errors(counts: list[int]) -> Metric:
    text = "Error responses of all resources, by kind."
    family = CounterMetricFamily(PREFIX + "errors", text, labels=["kind"])
    for kind, count in zip(KINDS, counts, strict=False):
        family.add_metric([kind], count)
    return family


def incidents(counts: Mapping[str, Mapping[str, int]]) -> Iterator[Metric]:
    """What happened to the processes, as their parent counted it."""
    exits = CounterMetricFamily(
        PREFIX + "worker_exits", "Workers that ended before the server.", labels=["cause"]
    )
    quarantines = CounterMetricFamily(
        PREFIX + "quarantines", "Quarantines of models that ended their workers."
    )
    reloads = CounterMetricFamily(
        PREFIX + "reloads", "Reloads that were asked for by SIGHUP.", labels=["result"]
    )
    for cause, count in counts.get("worker_exits", {}).items():
        exits.add_metric([cause], count)
    for count in counts.get("quarantines", {}).values():
        quarantines.add_metric([], count)
    for result, count in counts.get("reloads", {}).items():
        reloads.add_metric([result], count)
    yield from (exits, quarantines, reloads)
