"""What a client probably meant, for the errors of JSON bodies. Only errors ask."""

import difflib
from collections.abc import Iterable

# What others call the keys of envelopes: in lower case, without separators.
SPELLINGS = {
    "data_type": ("dtype", "datatype", "elementtype", "scalartype"),
    "shape": ("dims", "dim", "dimensions", "size", "sizes"),
    "value": ("values", "val", "data", "content", "array", "items", "base64", "b64", "text"),
    "key_type": ("keytype", "keys", "keydtype"),
    "mode": ("colormode", "colourmode", "color", "colour", "colorspace", "channels"),
    "layout": ("format", "dataformat", "order", "channelorder", "memoryformat"),
    "batch": ("batched", "batchdim", "unsqueeze"),
}
MEANT = {other: key for key, others in SPELLINGS.items() for other in others}
OF_IMAGES = ("shape", "size", "width", "height", "resize", "crop", "mean", "std", "normalize")


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that this one is most like, if it is like one."""
    lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name[:100].lower(), lower, 1, 0.7)
    return lower[found[0]] if found else None


def unknown_key(envelope_type: str, key: str, allowed: tuple[str, ...]) -> str:
    """Say what to write instead of a key that this type of envelope does not have."""
    plain = "".join(filter(str.isalnum, key[:100])).lower()
    if envelope_type == "image" and plain in OF_IMAGES:
        return (
            "unknown key; images are neither resized nor normalised here: "
            "send them as the model takes them, or let the model do it"
        )
    meant = MEANT.get(plain) or closest(key, allowed)
    if meant in allowed:
        return f"unknown key; did you mean `{meant}`?"
    return f'unknown key; those of "{envelope_type}" are {", ".join(allowed)}'
