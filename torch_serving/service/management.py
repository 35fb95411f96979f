"""Which models are loaded where; loading and unloading in all workers."""

import asyncio
import math
import time
from concurrent.futures import Future
from datetime import datetime, timezone
from typing import Any

import torch

from torch_serving.engine.deadline import Deadline
from torch_serving.engine.devices import DevicePool
from torch_serving.errors import ServingError, WorkerFailed
from torch_serving.models.identifiers import shared_name
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.load_queue import wait_until_loaded
from torch_serving.service.device_status import device_statuses
from torch_serving.service.fetching import fetched
from torch_serving.service.file_threads import in_file_thread
from torch_serving.service.interfaces import Message, ModelStatus, WorkerGroup
from torch_serving.service.names import find_identifier
from torch_serving.telemetry._counters import MethodNumbers

# How long a client that asks whether a model is ready waits for its load: probes are impatient.
READY_WAIT_S = 0.5
SPREADING = "other workers still load the model"


class Management:
    """Loads, unloads and lists models, in all workers.

    `load`, `unload` and `listen` are for the thread of one event loop. The other methods read files
    and are for other threads.
    """

    def __init__(self, models: ModelLifecycle, devices: DevicePool, group: WorkerGroup) -> None:
        self._models = models
        self._repository = models.repository
        self._devices = devices
        self._group = group

    def listen(self) -> None:
        """Load and unload models as other workers request, from now on."""
        self._group.listen(self._respond)

    async def load(
        self, model: str, device: str | None = None, timeout_s: float | None = None
    ) -> ModelStatus:
        """Load a model in all workers; return its status.

        Raises what loading raises, WorkerFailed if another worker could not load it, and
        DeadlineExceeded after `timeout_s`; the load goes on then.
        """
        deadline = Deadline(timeout_s or math.inf)
        model = await find_identifier(self._repository, model)
        await fetched(self._repository, model, deadline)
        chosen = await in_file_thread(
            self._repository.placement.choose, model, self._devices, device
        )
        await wait_until_loaded(self._models.load(model, chosen), deadline.remaining_s())
        message = {"do": "load", "identifier": model, "device": str(chosen)}
        await deadline.wait_for(self._broadcast(message), SPREADING)
        return await in_file_thread(self.status, model)

    async def load_if_needed(self, model: str) -> ModelStatus:
        """Start to load a model that is not in memory; return its status soon, loaded or not.

        Raises what loading raises, where the load fails as soon.
        """
        status = await in_file_thread(self.status, model)
        if status["state"] not in ("available", "invalid"):
            return status
        if fetching := await in_file_thread(self._repository.bring, model):
            if await has_ended(fetching, READY_WAIT_S):
                await wait_until_loaded(fetching)
            else:
                return await in_file_thread(self.status, model)
        device = await in_file_thread(self._repository.placement.choose, model, self._devices)
        loading = self._models.load(model, device)
        if await has_ended(loading, READY_WAIT_S):
            await wait_until_loaded(loading)
        return await in_file_thread(self.status, model)

    async def unload(self, model: str) -> ModelStatus:
        """Drop a model from the memory of all workers; return its status.

        Requests that run keep it until they end. Raises InvalidServable if there is no such model.
        """
        model = await find_identifier(self._repository, model)
        await in_file_thread(self._models.unload, model)
        await self._broadcast({"do": "unload", "identifier": model})
        return await in_file_thread(self.status, model)

    async def _broadcast(self, message: Message) -> None:
        for worker, response in (await self._group.broadcast(message)).items():
            problem = response.get("problem", "it did not respond")
            if problem:
                raise WorkerFailed(f"worker {worker}: {problem}")

    async def _respond(self, message: Message) -> Message:
        try:
            if message["do"] == "unload":
                await in_file_thread(self._models.unload, message["identifier"])
            else:
                device = torch.device(message["device"])
                await fetched(self._repository, message["identifier"], Deadline(math.inf))
                await wait_until_loaded(self._models.load(message["identifier"], device))
        except ServingError as error:
            return {"problem": f"{error.description}: {error.detail}"}
        return {"problem": ""}

    def names(self) -> list[str]:
        """The identifiers of all models below the root, in order."""
        return self._repository.names()

    def status(self, model: str) -> ModelStatus:
        """The status of one model. Raises InvalidServable if there is none."""
        return self._statuses([self._repository.check_exists(model)])[0]

    def loaded(self) -> list[dict[str, Any]]:
        """The published entries of all workers: one for each model that a worker has in memory."""
        return [entry for worker in self._group.published() for entry in worker]

    def statistics(
        self, model: str | None = None, method: str = "forward"
    ) -> list[tuple[str, MethodNumbers | None]]:
        """The counters of a method of one model, or of all models; None: no counters yet.

        Raises InvalidServable for an unknown model.
        """
        numbers = self._group.statistics.methods()
        names = self.names() if model is None else [self._repository.check_exists(model)]
        return [(name, numbers.get((shared_name(name), method))) for name in names]

    def _statuses(self, names: list[str]) -> list[ModelStatus]:
        numbers: dict[str, list[MethodNumbers]] = {}
        for (name, _), each in self._group.statistics.methods().items():
            numbers.setdefault(name, []).append(each)
        entries: dict[str, list[dict[str, Any]]] = {}
        for entry in self.loaded():
            entries.setdefault(entry["identifier"], []).append(entry)
        statuses = [
            self._status(name, entries.get(name, []), numbers.get(shared_name(name), []))
            for name in names
        ]
        under_way = self._repository.under_way()
        return [with_progress(status, under_way) for status in statuses] if under_way else statuses

    def _status(
        self, name: str, entries: list[dict[str, Any]], numbers: list[MethodNumbers]
    ) -> ModelStatus:
        remaining_s = self._group.remaining_quarantine_s(shared_name(name))
        problem = "" if entries else self._repository.problem_with(name)
        state = "loaded" if entries else "invalid" if problem else "available"
        requests = sum(sum(each.codes.values()) for each in numbers)
        cold_starts = sum(each.cold_starts for each in numbers)
        last_s = max((each.last_s for each in numbers), default=0.0)
        status = {
            "identifier": name,
            "state": "quarantined" if remaining_s else state,
            **self._repository.file_facts(name),
            "loaded": by_device_and_version(entries),
            "loads": sum(each.loads for each in numbers),
            "requests": requests,
            "hits": max(0, requests - cold_starts),  # a request that waited may still run
            "last_used": iso_timestamp(unix_time(last_s)) if last_s else None,
        }
        if remaining_s:
            status["quarantine_left_s"] = round(remaining_s, 1)
        if names := self._repository.names_of(name):
            status["other_names"] = names
        if problem:
            status["problem"] = problem
        if warning := next((each["warning"] for each in entries if each["warning"]), ""):
            status["warning"] = warning
        return status

    def devices(self) -> list[dict[str, Any]]:
        """Each device in use, whether it serves, and its memory."""
        return device_statuses(self.loaded(), self._group.statistics.by_device())

    def list(self) -> list[ModelStatus]:
        """The status of all models below the root, in the order of their names."""
        return self._statuses(self.names())


async def has_ended(loading: "Future[Any]", limit_s: float) -> bool:
    """Wait for a load, but not longer; it goes on."""
    waiting = asyncio.wrap_future(loading)
    waiting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    done, _ = await asyncio.wait([waiting], timeout=limit_s)
    return bool(done)


def with_progress(status: ModelStatus, under_way: dict[str, tuple[int, int]]) -> ModelStatus:
    """The status of a model, with what has come of its file, if that is being fetched."""
    if status["state"] != "available" or status["identifier"] not in under_way:
        return status
    come, size = under_way[status["identifier"]]
    return {**status, "state": "fetching", "bytes": size, "fetched_bytes": come}


def by_device_and_version(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where a model is loaded: each device and version once, and in how many workers."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        loaded_as = found.setdefault(
            (entry["device"], entry["version"]),
            {
                "device": entry["device"],
                "version": entry["version"],
                "weights_bytes": entry["bytes"],
                "runs": entry["runs"],
                "since": iso_timestamp(entry["loaded_s"]),
                "workers": 0,
            },
        )
        loaded_as["workers"] += 1
    return list(found.values())


def unix_time(monotonic_s: float) -> float:
    """A time of the monotonic clock, which all processes share, in seconds since 1970."""
    return time.time() - time.monotonic() + monotonic_s


def iso_timestamp(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, timezone.utc).isoformat(timespec="milliseconds")
