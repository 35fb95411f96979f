"""What the server counts, every two seconds, kept for ten minutes; and its JSON."""

import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from torch_serving import __version__
from torch_serving.service.device_status import device_statuses
from torch_serving.service.management import unix_time
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry._counters import (
    SECONDS,
    SIZES,
    STEPS,
    ModelNumbers,
    ModelReader,
    Totals,
    WorkerNumbers,
)
from torch_serving.telemetry.error_kinds import KINDS
from torch_serving.telemetry.processes import memory_and_cpu, start_time_s
from torch_serving.telemetry.prometheus import PARENT, values_of

INTERVAL_S = 2.0
KEPT_S = 600.0
MODELS_AT_ONCE = 50  # whose numbers become text before requests get their turn

Document = dict[str, Any]


class Sampler:
    """Reads the counters of all workers; for the thread of one event loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._management = runtime.management
        self._metrics = runtime.metrics
        self._statistics = runtime.group.statistics
        self._models = ModelReader(self._statistics)
        self._weights: list[Document] = []
        slot = runtime.group.parent_slot
        self._started_s = start_time_s(self._statistics.pid_of(slot) if slot >= 0 else os.getpid())
        self._history: deque[str] = deque(maxlen=int(KEPT_S / INTERVAL_S))
        self.workers: list[Document] = []

    def take(self) -> str:
        """Take a sample; return its JSON."""
        found = {name: each for name, each in self._metrics.workers().items() if name != PARENT}
        self.workers = [worker_document(name, each) for name, each in found.items() if each.pid]
        errors = zip(KINDS, self._statistics.errors(), strict=False)
        sample = {
            "t": round(time.time(), 3),
            **totals_document(self._statistics.totals()),
            **sums(self.workers, ("queue", "busy", "threads", "resident_bytes", "cpu_s")),
            "errors": {kind: count for kind, count in errors if count},
            "rejected": sum(each.rejected for each in found.values()),
            "device_bytes": self._device_bytes(),
        }
        self._history.append(to_json(sample))
        return self._history[-1]

    def read_weights(self) -> None:
        """Read what each loaded model takes. It takes too long for the loop."""
        loaded = self._management.loaded()
        self._weights = [{"device": each["device"], "bytes": each["bytes"]} for each in loaded]

    def devices(self) -> list[Document]:
        """The devices as `GET /models` has them, and how busy they are, where that is known."""
        numbers = self._statistics.by_device()
        busy: dict[str, float] = {}
        for (_, name), each in numbers.items():
            if each.total and each.utilization is not None:
                busy[name] = max(busy.get(name, 0.0), each.utilization / 100)
        statuses = device_statuses(self._weights, numbers)
        return [each | {"utilization": busy.get(each["device"])} for each in statuses]

    def _device_bytes(self) -> dict[str, int]:
        """The memory that is used of each accelerator; of the CPU what models weigh there."""
        numbers = self._statistics.by_device()
        used = {name: each.total - each.free for (_, name), each in numbers.items() if each.total}
        return used or {"cpu": sum(each["cache_bytes"] for each in self.workers)}

    def head_of_start(self) -> str:
        """The JSON of all but the models: an object whose last member is open."""
        known = {
            "version": __version__,
            "started": self._started_s,
            "interval_s": INTERVAL_S,
            "bounds_s": SECONDS,
            "sizes": SIZES,
            "steps": STEPS,
            "workers": self.workers,
            "devices": self.devices(),
        }
        history = ",".join(self._history)
        return f'{to_json(known)[:-1]},"history":[{history}],"models":{{'

    def head_of_sample(self, sample: str) -> str:
        """The same of the event with a sample."""
        places = to_json({"workers": self.workers, "devices": self.devices()})
        return f'{places[:-1]},"sample":{sample},"models":{{'

    def changed_models(self) -> Iterator[str]:
        """The JSON of the numbers that have changed since the last call, in pieces."""
        return self._pieces(self._models.changed())

    def all_models(self) -> Iterator[str]:
        """The JSON of all numbers, in pieces."""
        return self._pieces(self._models.names())

    def _pieces(self, names: list[str]) -> Iterator[str]:
        """Members of an object, with commas before all but the first."""
        for start in range(0, len(names), MODELS_AT_ONCE):
            part = names[start : start + MODELS_AT_ONCE]
            text = to_json({name: model_document(self._models.numbers(name)) for name in part})
            yield ("," if start else "") + text[1:-1]


def totals_document(totals: Totals) -> Document:
    return {**totals._asdict(), "sum_s": round(totals.sum_s, 6)}


def model_document(numbers: ModelNumbers) -> Document:
    document = numbers._asdict()
    last_s = document.pop("last_s")
    return document | {
        "sum_s": round(numbers.sum_s, 6),
        "steps": {name: (count, round(s, 6)) for name, (count, s) in numbers.steps.items()},
        "last": round(unix_time(last_s), 3) if last_s else None,
    }


def worker_document(name: str, numbers: WorkerNumbers) -> Document:
    values = values_of(numbers)
    resident_bytes, cpu_s = memory_and_cpu(numbers.pid)
    return {
        "worker": name,
        "pid": numbers.pid,
        "threads": values["threads"],
        "busy": values["threads_busy"],
        "queue": values["queue_length"],
        "models": numbers.models,
        "cache_bytes": numbers.bytes,
        "resident_bytes": resident_bytes,
        "cpu_s": cpu_s,
    }


def sums(documents: Iterable[Document], names: Iterable[str]) -> Document:
    return {name: sum(each[name] for each in documents) for name in names}


def to_json(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
