"""What was meant by a word that is not known."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message with the nearest word, or nothing."""
    found = nearest(word, known)
    return f"; did you mean {found}?" if found else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like a word; nothing if none is."""
    by_key = {key_of(each): each for each in known}
    found = difflib.get_close_matches(key_of(word), by_key, 1)
    return by_key[found[0]] if found else ""


def key_of(word: str) -> str:
    """What counts of a word: case, leading dashes and the kind of a dash do not."""
    return word.strip("-").replace("_", "-").lower()


def near_path(path: Path) -> str:
    """Return the end of a message with the nearest name in the folder of a path, or nothing."""
    try:
        found = nearest(path.name, os.listdir(path.parent))
    except OSError:
        return ""
    return f"; did you mean {path.with_name(found)}?" if found else ""
