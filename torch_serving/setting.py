"""How a setting of `Config` or `ModelConfig` is said once: as a field with its description."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Setting:
    """What is said about a setting beside its default.

    `kind` is a row of `cli.flag_types.KINDS`, which says how a value is read, or all values that
    there are. `meaning` is for the command line, `more` is added in the documentation; both are
    Markdown. `default_text` is the default in words, where the value alone says too little.
    """

    group: str
    kind: str | tuple[str, ...]
    flags: tuple[str, ...]
    meaning: str
    more: str = ""
    default_text: str = ""


def setting(
    group: str, flags: str, value: Any, kind: str | tuple[str, ...], meaning: str, **others: str
) -> Any:
    """Return a dataclass field with a default; `flags` are the spellings, with spaces."""
    described = Setting(group, kind, tuple(flags.split()), meaning, **others)
    return field(default=value, metadata={"setting": described})


def settings_of(config: type) -> Iterator[tuple[str, Any, Setting]]:
    """Yield the name, the default and the description of each setting."""
    for each in fields(config):
        if "setting" in each.metadata:
            yield each.name, each.default, each.metadata["setting"]
