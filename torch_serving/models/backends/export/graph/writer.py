"""Statements of TorchScript, and the names in them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from torch_serving.models.backends.export.graph.values import Context, Untranslatable, identifier

INDENT = "  "
NOTHING = "pass"
# TorchScript goes from each operator to the next on the stack of a thread, which ends soon after.
MAX_LINES = 8192


class Writer:
    """Writes the statements of a method, one graph inside another."""

    def __init__(self, device: torch.device) -> None:
        self.lines: list[str] = []
        self._device = device
        self._depth = 1
        self._scopes = 0

    def line(self, text: str) -> None:
        if len(self.lines) >= MAX_LINES:
            raise Untranslatable(f"it has more than {MAX_LINES:,} operators")
        self.lines.append(INDENT * self._depth + text)

    @contextmanager
    def indented(self, head: str) -> Iterator[None]:
        """A statement with others inside."""
        self.line(head)
        self._depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line(NOTHING)
        self._depth -= 1

    def scope(self) -> "Scope":
        """A new scope: two graphs may use a name for different values."""
        self._scopes += 1
        return Scope(f"v{self._scopes}", Context({}, self._device))


class Scope:
    """The names in one graph."""

    def __init__(self, prefix: str, context: Context) -> None:
        self._prefix = prefix
        self._unnamed = 0
        self.names: dict[str, str] = {}
        self.context = context._replace(names=self.names)

    def new(self, name: str) -> str:
        """Return the variable for a value that is new in the graph."""
        self.names[name] = identifier(name, self._prefix)
        return self.names[name]

    def unnamed(self) -> str:
        """Return a variable that no value in the graph has."""
        self._unnamed += 1
        return f"u{self._prefix}_{self._unnamed}"
