"""The model that a request names: at once, or when it is loaded."""

from concurrent.futures import Future

import torch

from torch_serving.engine.deadline import Deadline
from torch_serving.engine.devices import DevicePool
from torch_serving.errors import DeadlineExceeded
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.load_queue import (
    REPLACING_S,
    STILL_LOADING,
    result_within,
    wait_until_loaded,
)
from torch_serving.models.servable import Servable
from torch_serving.service.fetching import fetched
from torch_serving.service.file_threads import in_file_thread
from torch_serving.service.interfaces import InferenceRequest

SOUGHT = "the model is still being looked for"


class Servables:
    """Finds the loaded models of requests, and waits for loads. Safe to use from any thread.

    Its methods raise InvalidServable, Quarantined or InvalidDevice if there is no such model.
    """

    def __init__(self, models: ModelLifecycle, devices: DevicePool) -> None:
        self._models = models
        self._devices = devices
        self.repository = models.repository
        self._placement = models.repository.placement

    def loaded(self, request: InferenceRequest) -> Servable | None:
        """Return the model if it is in memory and unchanged. No coroutine, as most are."""
        device = self._placement.known(request.model, self._devices, request.device)
        if device is None:
            return None
        return self._models.get(request.model, device, request.reload_probability)

    async def wait(self, request: InferenceRequest, deadline: Deadline) -> Servable:
        """Load the model and return it, or an older version whose successor takes long.

        Raises DeadlineExceeded; the load goes on then.
        """
        await fetched(self.repository, request.model, deadline)
        device = self._placement.known(request.model, self._devices, request.device)
        if device is None:
            starting = in_file_thread(self._start_loading, request)
            loading = await deadline.wait_for(starting, SOUGHT)
            return await wait_until_loaded(loading, deadline.remaining_s())
        loading = self._models.load(request.model, device)
        try:
            return await wait_until_loaded(loading, self._patience_s(request, device, deadline))
        except DeadlineExceeded:
            return self._older(request, device)

    def wait_blocking(self, request: InferenceRequest, limit_s: float) -> Servable:
        """Do what `wait` does in this thread's time."""
        if fetching := self.repository.bring(request.model):
            result_within(fetching, limit_s)
        device = self._device(request)
        loading = self._models.load(request.model, device)
        try:
            return result_within(loading, self._patience_s(request, device, Deadline(limit_s)))
        except DeadlineExceeded:
            return self._older(request, device)

    def _start_loading(self, request: InferenceRequest) -> Future[Servable]:
        return self._models.load(request.model, self._device(request))

    def _device(self, request: InferenceRequest) -> torch.device:
        return self._placement.choose(request.model, self._devices, request.device)

    def _patience_s(
        self, request: InferenceRequest, device: torch.device, deadline: Deadline
    ) -> float:
        """How long to wait for a load: there is time left for the older model, if there is one."""
        remaining_s = deadline.remaining_s()
        is_older_loaded = self._models.loaded(request.model, device) is not None
        return min(REPLACING_S, remaining_s / 2) if is_older_loaded else remaining_s

    def _older(self, request: InferenceRequest, device: torch.device) -> Servable:
        older = self._models.loaded(request.model, device)
        if older is None:
            raise DeadlineExceeded(STILL_LOADING)
        return older
