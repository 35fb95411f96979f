"""The model that a client means: its suffix may be left out, and a misspelt name gets a hint."""

import time

from torch_serving.errors import ServingError
from torch_serving.models.identifiers import NoSuchModel
from torch_serving.models.repository import ModelRepository
from torch_serving.service.file_threads import in_file_thread
from torch_serving.service.interfaces import InferenceRequest

MAX_MEANT = 1024  # requests that are remembered
MEANT_S = 1.0  # another file may have the name after that


async def find_identifier(repository: ModelRepository, name: str) -> str:
    """Return the identifier of the model that a name means. Raises NoSuchModel with a hint."""
    if repository.is_loaded(name):
        return name
    try:
        return await in_file_thread(repository.find_identifier, name)
    except NoSuchModel as error:
        hint = ""
        if repository.near_names.is_within_budget():
            hint = await hint_for(repository, name)
        raise NoSuchModel(error.detail + hint) from None


async def resolve_request(
    repository: ModelRepository, request: InferenceRequest
) -> InferenceRequest:
    """Return a request with the identifier of the model that it means."""
    name = await find_identifier(repository, request.model)
    return request if name == request.model else request.meaning(name)


class MeantRequests:
    """Requests whose names left out a suffix, and what they meant a moment ago.

    Without it, each such request would ask the disk which file is meant.
    """

    def __init__(self) -> None:
        self._meant: dict[InferenceRequest, tuple[InferenceRequest, float]] = {}

    def note(self, request: InferenceRequest, meant: InferenceRequest) -> None:
        if len(self._meant) >= MAX_MEANT:
            self._meant.clear()
        self._meant[request] = meant, time.monotonic() + MEANT_S

    def get(self, request: InferenceRequest) -> InferenceRequest | None:
        """What a request means; None if that was not found just now."""
        found = self._meant.get(request)
        return found[0] if found and time.monotonic() < found[1] else None

    def forget(self, request: InferenceRequest) -> None:
        self._meant.pop(request, None)


async def hint_for(repository: ModelRepository, name: str) -> str:
    try:
        return await in_file_thread(repository.near_names.hint, name)
    except ServingError:  # the disk does not answer
        return ""


def resolve_request_blocking(
    repository: ModelRepository, request: InferenceRequest
) -> InferenceRequest:
    """Return a request as `resolve_request` does, and wait for the disk in this thread."""
    try:
        name = repository.find_identifier(request.model)
    except NoSuchModel as error:
        near = repository.near_names
        hint = near.hint(request.model) if near.is_within_budget() else ""
        raise NoSuchModel(error.detail + hint) from None
    return request if name == request.model else request.meaning(name)


async def only_model(repository: ModelRepository) -> str | None:
    """Return the identifier of the only model, if there is but one."""
    return await in_file_thread(repository.near_names.only)
