"""A group of one process: nothing is shared, and nobody else is asked."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from torch_serving.models.interfaces import NoEvents
from torch_serving.service.interfaces import Message

logger = logging.getLogger(__name__)


class Alone(NoEvents):
    """The `WorkerGroup` of a process that serves by itself."""

    parent_slot = -1  # there is none

    def __init__(self) -> None:
        super().__init__()
        self._models: list[dict[str, Any]] = []

    def publish(self, models: list[dict[str, Any]], /) -> None:
        self._models = models

    def spare_slot(self) -> int:
        return -1

    def incident_counts(self) -> dict[str, dict[str, int]]:
        return {}

    def published(self) -> list[list[dict[str, Any]]]:
        return [self._models]

    def remaining_quarantine_s(self, name: str, /) -> float:
        return 0.0

    def listen(self, handle: Callable[[Message], Awaitable[Message]], /) -> None:
        pass

    async def broadcast(self, message: Message, /) -> dict[int, Message]:
        return {}

    def request_restart(self, reason: str, guilty: Sequence[str] = (), /) -> None:
        logger.critical("this process is of no more use: %s", reason)
