"""Query parameters: those that a resource takes, and what was meant by others."""

import difflib
from collections.abc import Collection, Iterable

from torch_serving.errors import InvalidParameter

MAX_SHOWN = 40  # characters of a name that is wrong


def check_known(names: Iterable[str], known: Collection[str] = ()) -> None:
    """Raise InvalidParameter for a name that is unknown: what it asks for would not be done."""
    for name in names:
        if name not in known:
            raise InvalidParameter(
                f"unknown query parameter `{name[:MAX_SHOWN]}`{hint(name, known)}"
            )


def hint(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name[:MAX_SHOWN].lower(), known, 1)
    if near:
        return f"; did you mean `{near[0]}`?"
    return f"; this resource takes {', '.join(known) or 'none'}"
