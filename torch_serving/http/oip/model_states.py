"""The models as one repository, in the words of the Open Inference Protocol.

What it tells is of all workers, and what it does is done in all of them: management.py does both.
"""

from typing import NamedTuple

from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.service.management import Entry, Management, since_1970
from torch_serving.telemetry._counters import MethodNumbers

NOT_LOADED = "not loaded; the first request loads it"


class ModelState(NamedTuple):
    """`state` is READY for a model that is loaded, else UNAVAILABLE, for a `reason`."""

    name: str
    state: str
    reason: str


class ModelNumbers(NamedTuple):
    """What was counted of a model's `forward`, by whatever contract it was asked for."""

    name: str
    numbers: MethodNumbers | None  # None: nothing yet

    @property
    def last_ms(self) -> int:
        """When the last request was answered, in milliseconds since 1970; 0 for never."""
        if self.numbers is None or not self.numbers.last_s:
            return 0
        return int(since_1970(self.numbers.last_s) * 1000)


class Repository:
    """For the thread of one event loop, but for `index`, `state` and `statistics`, which read
    files."""

    def __init__(self, models: ModelLifecycle, management: Management) -> None:
        self._models = models
        self._management = management

    def index(self) -> list[ModelState]:
        return [state_of(entry) for entry in self._management.models()]

    def state(self, name: str) -> ModelState:
        """Raises InvalidServable if there is no such model."""
        return state_of(self._management.model(name))

    async def load(self, name: str) -> None:
        """Raises InvalidServable if it can't be loaded."""
        await self._management.load(name)

    async def unload(self, name: str) -> None:
        """Forget a model, on all devices; requests that run keep it until they end."""
        await self._management.unload(name)

    def statistics(self, name: str | None = None) -> list[ModelNumbers]:
        """Of one model, or of all that are there. Raises InvalidServable for an unknown one."""
        numbers = self._management.numbers("forward")
        names = (
            self._models.repository.names()
            if name is None
            else [self._models.repository.check_exists(name)]
        )
        return [ModelNumbers(each, numbers.get(each)) for each in names]


def state_of(entry: Entry) -> ModelState:
    reason = "" if entry["state"] == "loaded" else NOT_LOADED
    if entry["state"] == "quarantined":
        reason = f"in quarantine for {entry['quarantine_left_s']} s, as the server died with it"
    return ModelState(entry["identifier"], "UNAVAILABLE" if reason else "READY", reason)
