"""Query parameters: those that a resource takes, and what was meant by others."""

from collections.abc import Collection, Iterable

from torch_serving.errors import InvalidParameter
from torch_serving.suggestions import did_you_mean

MAX_SHOWN = 40  # characters of a name that is wrong


def check_known(names: Iterable[str], known: Collection[str] = ()) -> None:
    """Raise InvalidParameter for a name that is unknown: what it asks for would not be done."""
    for name in names:
        if name not in known:
            shown = name[:MAX_SHOWN]
            hint = did_you_mean(shown, known, "`")
            hint = hint or f"; this resource takes {', '.join(known) or 'none'}"
            raise InvalidParameter(f"unknown query parameter `{shown}`{hint}")
