"""The known word that was probably meant by an unknown one."""

import difflib
from collections.abc import Callable, Iterable

MAX_CHARACTERS = 200  # of a word that is compared


def did_you_mean(word: str, known: Iterable[str], quote: str = "", cutoff: float = 0.6) -> str:
    """Return the end of a message with the nearest known word, or nothing."""
    found = nearest(word, known, cutoff)
    return f"; did you mean {quote}{found}{quote}?" if found else ""


def nearest(
    word: str,
    known: Iterable[str],
    cutoff: float = 0.6,
    keys_of: Callable[[str], tuple[str, ...]] = lambda word: (key_of(word),),
) -> str:
    """Return the known word that is most like a word, or nothing if none is.

    `keys_of` gives what is compared: the first key of `word` with all keys of each known word.
    """
    by_key: dict[str, str] = {}
    for each in known:
        for key in keys_of(each):
            by_key.setdefault(key, each)
    found = difflib.get_close_matches(keys_of(word[:MAX_CHARACTERS])[0], by_key, 1, cutoff)
    return by_key[found[0]] if found else ""


def key_of(word: str) -> str:
    """Return a word without what does not count: case, leading dashes, the kind of a dash."""
    return word.strip("-").replace("_", "-").lower()
