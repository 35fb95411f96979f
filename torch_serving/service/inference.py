"""From the name of a model to an answer: what all ways to ask for inference have in common."""

from collections.abc import Awaitable

import torch

from torch_serving.engine.devices import DevicePool
from torch_serving.engine.engine import Engine
from torch_serving.engine.interfaces import Invocation
from torch_serving.models.lifecycle import ModelLifecycle, loaded
from torch_serving.models.servable import Method
from torch_serving.telemetry.tracing import StepTime, Tracing


class Inference:
    """Finds methods, loading their models where need be, and has the engine run requests."""

    def __init__(
        self,
        models: ModelLifecycle,
        engine: Engine,
        devices: DevicePool,
        tracing: Tracing | None = None,
    ) -> None:
        self._models = models
        self._engine = engine
        self._devices = devices
        self._tracing = tracing

    def loaded_method(
        self,
        identifier: str,
        name: str = "forward",
        device: torch.device | None = None,
        invalidation: float = 0.0,
    ) -> Method | None:
        """Return a method if its model is loaded: no coroutine for what most requests find.

        Raises InvalidServable, Quarantined or InvalidParameter if there is no such method.
        """
        device = self._models.repository.choose_device(identifier, self._devices, device)
        servable = self._models.get(identifier, device, invalidation)
        return None if servable is None else servable.method(name)

    async def method(
        self, identifier: str, name: str = "forward", device: torch.device | None = None
    ) -> Method:
        """Return a method, loading its model if need be. Raises the same."""
        method = self.loaded_method(identifier, name, device)
        return await self.load_method(identifier, name, device) if method is None else method

    async def load_method(
        self, identifier: str, name: str, device: torch.device | None = None
    ) -> Method:
        """Return a method of a model that is not loaded. Raises the same."""
        device = self._models.repository.choose_device(identifier, self._devices, device)
        servable = await loaded(self._models.load(identifier, device))
        servable.method("forward").counters.count_cold_start()
        return servable.method(name)

    def submit(
        self, invocation: Invocation, body: bytes | bytearray, timeout_s: float | None
    ) -> Awaitable[bytes]:
        """Answer a request; raises what the engine raises."""
        if self._tracing or self._devices.are_several:
            return self._observed(invocation, body, timeout_s)
        return self._engine.submit(invocation, body, timeout_s)

    async def _observed(
        self, invocation: Invocation, body: bytes | bytearray, timeout_s: float | None
    ) -> bytes:
        steps: list[StepTime] | None = [] if self._tracing else None
        self._devices.acquire(invocation.device)
        try:
            return await self._engine.submit(invocation, body, timeout_s, steps)
        finally:
            self._devices.release(invocation.device)
            if self._tracing and steps:
                self._tracing.record(invocation.model, steps)
