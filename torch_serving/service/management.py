"""What is loaded where, and loading and unloading in all workers."""

import asyncio
import time
from datetime import datetime, timezone
from typing import Any

import torch

from torch_serving.engine.devices import DevicePool
from torch_serving.errors import ServingError, WorkerFailed
from torch_serving.models.lifecycle import ModelLifecycle, loaded
from torch_serving.service.interfaces import WorkerGroup
from torch_serving.telemetry._counters import SIZES, MethodNumbers

Entry = dict[str, Any]


class Management:
    """For the thread of one event loop, but for `models`, which reads files."""

    def __init__(self, models: ModelLifecycle, devices: DevicePool, group: WorkerGroup) -> None:
        self._models = models
        self._devices = devices
        self._group = group

    def listen(self) -> None:
        """Do what other workers ask, from now on."""
        self._group.listen(self._handle)

    async def load(self, identifier: str, device: torch.device | None = None) -> None:
        """Load a model in all workers.

        Raises what loading raises, and WorkerFailed if another worker could not do what this did.
        """
        device = self._models.repository.choose_device(identifier, self._devices, device)
        await loaded(self._models.load(identifier, device))
        await self._ask({"do": "load", "identifier": identifier, "device": str(device)})

    async def unload(self, identifier: str) -> None:
        """Drop a model from the memory of all workers. Raises InvalidServable if there is none."""
        await asyncio.to_thread(self._models.unload, identifier)
        await self._ask({"do": "unload", "identifier": identifier})

    async def _ask(self, question: Entry) -> None:
        for worker, answer in (await self._group.broadcast(question)).items():
            problem = answer.get("problem", "it gave no answer")
            if problem:
                raise WorkerFailed(f"worker {worker}: {problem}")

    async def _handle(self, question: Entry) -> Entry:
        try:
            if question["do"] == "unload":
                await asyncio.to_thread(self._models.unload, question["identifier"])
            else:
                device = torch.device(question["device"])
                await loaded(self._models.load(question["identifier"], device))
        except ServingError as error:
            return {"problem": f"{error.description}: {error.detail}"}
        return {"problem": ""}

    def models(self) -> list[Entry]:
        """All models below the root and what is known of them, in the order of their names."""
        return self._entries(self._models.repository.names())

    def model(self, identifier: str) -> Entry:
        """The same for one. Raises InvalidServable if there is none."""
        return self._entries([self._models.repository.check_exists(identifier)])[0]

    def names(self) -> list[str]:
        return self._models.repository.names()

    def held(self) -> list[Entry]:
        """What each worker tells of each model that it has in memory."""
        return [entry for worker in self._group.published() for entry in worker]

    def _entries(self, names: list[str]) -> list[Entry]:
        numbers: dict[str, list[MethodNumbers]] = {}
        for (name, _), each in self._group.statistics.methods().items():
            numbers.setdefault(name, []).append(each)
        held: dict[str, list[Entry]] = {}
        for entry in self.held():
            held.setdefault(entry["identifier"], []).append(entry)
        return [self._entry(name, held.get(name, []), numbers.get(name, [])) for name in names]

    def numbers(self, method: str) -> dict[str, MethodNumbers]:
        """What was counted of the methods of one name, by model."""
        counted = self._group.statistics.methods()
        return {model: each for (model, name), each in counted.items() if name == method}

    def runs(self, name: str, method: str) -> tuple[list[int], int]:
        """How many runs there were by size, and how many requests in all of them."""
        numbers = self._group.statistics.methods().get((name, method))
        return numbers.batches if numbers else ([0] * (len(SIZES) + 1), 0)

    def _entry(self, name: str, held: list[Entry], numbers: list[MethodNumbers]) -> Entry:
        left_s = self._group.remaining_quarantine_s(name)
        state = "loaded" if held else "available"
        requests = sum(sum(each.codes.values()) for each in numbers)
        waits = sum(each.cold_starts for each in numbers)
        last_s = max((each.last_s for each in numbers), default=0.0)
        entry = {
            "identifier": name,
            "state": "quarantined" if left_s else state,
            **self._models.repository.file_facts(name),
            "loaded": loaded_on(held),
            "loads": sum(each.loads for each in numbers),
            "requests": requests,
            "hits": requests - waits,
            "last_used": moment(since_1970(last_s)) if last_s else None,
        }
        if left_s:
            entry["quarantine_left_s"] = round(left_s, 1)
        if warning := next((each["warning"] for each in held if each["warning"]), ""):
            entry["warning"] = warning
        return entry


def loaded_on(held: list[Entry]) -> list[Entry]:
    """Where a model is loaded: each device and version once, and by how many workers."""
    places: dict[tuple[str, str], Entry] = {}
    for each in held:
        place = places.setdefault(
            (each["device"], each["version"]),
            {
                "device": each["device"],
                "version": each["version"],
                "weights_bytes": each["bytes"],
                "since": moment(each["loaded_s"]),
                "workers": 0,
            },
        )
        place["workers"] += 1
    return list(places.values())


def since_1970(monotonic_s: float) -> float:
    """A moment of the monotonic clock, which all processes share, as one of the calendar's."""
    return time.time() - time.monotonic() + monotonic_s


def moment(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, timezone.utc).isoformat(timespec="milliseconds")
