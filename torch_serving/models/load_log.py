"""What the log says of models that come into memory, and of those that leave it."""

import logging
from collections.abc import Callable, Iterable

import torch

from torch_serving.models.files import Sources
from torch_serving.models.servable import Servable

logger = logging.getLogger(__name__)


class LoadLog:
    """Each process logs what it does itself; what all see is logged once (`is_first_report`)."""

    def __init__(self, is_first_report: Callable[[str], bool]) -> None:
        self._is_first_report = is_first_report

    def loaded(
        self, servable: Servable, took_s: float, dropped: Iterable[Servable]
    ) -> list[torch.device]:
        """Return the devices of what was dropped for it, as `dropped` does."""
        logger.info(
            "loaded %s on %s in %.2f s (version %s, %d bytes, as %s)",
            servable.identifier,
            servable.device,
            took_s,
            servable.version[:12],
            servable.bytes(),
            servable.program.runs,
        )
        key = (servable.identifier, servable.device)
        replaced = [each.device for each in dropped if (each.identifier, each.device) == key]
        others = (each for each in dropped if (each.identifier, each.device) != key)
        return replaced + self.dropped(others, f"evicted to make room for {servable.identifier}")

    def dropped(self, servables: Iterable[Servable], why: str) -> list[torch.device]:
        """Return their devices: who kept the servables would keep their memory."""
        devices = []
        for each in servables:
            logger.info("unloaded %s from %s: %s", each.identifier, each.device, why)
            devices.append(each.device)
        return devices

    def changed(self, servable: Servable, sources: Sources) -> None:
        if self._is_first_report(f"{servable.identifier} {sources}"):
            beside = "" if has_new_file(servable, sources) else "what lies beside "
            logger.info("%s%s has changed: loading it", beside, servable.identifier)

    def gone(self, servable: Servable) -> None:
        if self._is_first_report(f"{servable.identifier} {servable.file} is gone"):
            logger.info("%s is gone", servable.identifier)

    def refused(self, servable: Servable, problem: str, sources: Sources) -> str:
        """Return what is said of a model that goes on serving although something is new."""
        what = "file" if has_new_file(servable, sources) else "configuration"
        if self._is_first_report(f"{servable.identifier} {sources} is refused"):
            logger.warning("the new %s is not served, the old one is: %s", what, problem)
        return f"a newer {what} is not served: {problem}"


def has_new_file(servable: Servable, sources: Sources) -> bool:
    """Whether a model's file is another than the loaded one; else it is a file beside it."""
    return sources.file != servable.file
