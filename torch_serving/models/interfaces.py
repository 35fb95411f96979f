"""What models need of the processes that serve together: counters, quarantine, list of models."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch_serving.telemetry._counters import Statistics


class ModelEvents(Protocol):
    """Hears what happens to the models of this process, and says which of them may not run."""

    statistics: Statistics

    def set_running(self, name: str, /) -> None:
        """Note which model this thread runs from now on; "" for none."""

    def check_quarantine(self, name: str, /) -> None:
        """Raise Quarantined for a model that may not run now."""

    def publish(self, models: list[dict[str, Any]], /) -> None:
        """Replace the list of models that this process has loaded."""

    def is_first_report(self, fact: str, /) -> bool:
        """Whether no other process has told a fact that all of them find out."""

    def request_restart(self, reason: str, guilty: Sequence[str] = (), /) -> None:
        """Ask for another process in place of this one, which has become useless.

        `guilty` are the models whose work broke it.
        """


class NoEvents:
    """For models that no other process asks about."""

    def __init__(self) -> None:
        self.statistics = Statistics()

    def set_running(self, name: str, /) -> None:
        pass

    def check_quarantine(self, name: str, /) -> None:
        pass

    def publish(self, models: list[dict[str, Any]], /) -> None:
        pass

    def is_first_report(self, fact: str, /) -> bool:
        return True

    def request_restart(self, reason: str, guilty: Sequence[str] = (), /) -> None:
        pass
