"""Types of flags: text -> value. Each raises ArgumentTypeError for text of another type."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch_serving.config.root import is_url
from torch_serving.http.forwarded import TrustedProxies
from torch_serving.model_config import MAX_MAX_BATCH, is_module_name
from torch_serving.suggestions import did_you_mean

SWITCHES = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
MAX_NUMBER = (1 << 31) - 1  # fits the counters of the cache and of queues
MAX_BYTES = (1 << 63) - 1
MAX_SECONDS = 1_000_000_000  # thirty years; timers of the system overflow later


def root(text: str) -> Path | str:
    """A folder or file, or a URL, which is read later."""
    return text if is_url(text) else Path(text)


def natural(text: str) -> int:
    if not re.fullmatch("[0-9]+", text):
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return at_most(MAX_NUMBER, text)


def at_most(limit: int, text: str, unit: int = 1) -> int:
    """Read digits: `int` refuses thousands of them, and what counts them fails on fewer."""
    if len(text.lstrip("0")) > len(str(limit)) or int(text) * unit > limit:
        raise argparse.ArgumentTypeError(f"expected at most {limit}, got {text[:30]}")
    return int(text) * unit


def positive(text: str) -> int:
    if natural(text) < 1:
        raise argparse.ArgumentTypeError("expected at least 1")
    return int(text)


def batch_size(text: str) -> int:
    if not 2 <= natural(text) <= MAX_MAX_BATCH:
        raise argparse.ArgumentTypeError(f"expected 2 to {MAX_MAX_BATCH}, got {text}")
    return int(text)


def workers(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number or auto, got {text!r}")
    return positive(text)


def on_off(text: str) -> bool:
    if text.lower() not in SWITCHES:
        raise argparse.ArgumentTypeError(f"expected on or off, got {text!r}")
    return SWITCHES[text.lower()]


def switch(text: str) -> bool:
    """The variable or key of a flag without a value."""
    if text.lower() not in SWITCHES:
        raise argparse.ArgumentTypeError(f"expected 0 or 1, got {text!r}")
    return SWITCHES[text.lower()]


def one_of(known: tuple[str, ...], text: str) -> str:
    if text.lower() not in known:
        hint = did_you_mean(text, known)
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(known)}, got {text!r}{hint}")
    return text.lower()


def pattern(text: str) -> str:
    """The names of models, as a shell writes it; `./` before it means nothing."""
    if not text:
        raise argparse.ArgumentTypeError("expected a pattern as in *.pt")
    return text.removeprefix("./")


def name(text: str) -> str:
    """Another name of a model, and the name of its file where that is not the only one."""
    if text.startswith("=") or text.endswith("="):
        raise argparse.ArgumentTypeError(
            f"expected a name as in iris=flowers/iris.pt, got {text!r}"
        )
    return text


def module(text: str) -> str:
    """The name of a Python module."""
    if not is_module_name(text):
        raise argparse.ArgumentTypeError(f"expected a module as in torchvision.ops, got {text!r}")
    return text


def origin(text: str) -> str:
    """As browsers send it: scheme, host and port, no path."""
    if text != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s]+", text):
        raise argparse.ArgumentTypeError(f"expected * or as in https://example.org, got {text!r}")
    return text


def port(text: str) -> int:
    if natural(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, got {text}")
    return int(text)


def host(text: str) -> str:
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected an address or a name, got {text!r}")
    return text


def root_path(text: str) -> str:
    """A path as URLs have it, which begins with a slash and does not end with one."""
    if not re.fullmatch(r"(/([\w.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*", text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"expected a path as in /models, without a slash at its end, got {text!r}"
        )
    return text


def seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or float(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, got {text!r}")
    if float(text) > MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"expected at most {MAX_SECONDS}, got {text[:30]}")
    return float(text)


def seconds_or_zero(text: str) -> float:
    return 0.0 if text in ("0", "0.0") else seconds(text)


def size(text: str) -> int:
    """A number of bytes: 1000, 64KiB, 256M; units are powers of 1024."""
    match = re.fullmatch(r"([0-9]+)([kmg]?)(i?b)?", text.lower())
    if not match or match[0] == "0":
        raise argparse.ArgumentTypeError(f"expected a size as in 1000, 64KiB or 256M, got {text!r}")
    return at_most(MAX_BYTES, match[1], UNITS[match[2]])


def proxies(text: str) -> str:
    """Addresses and networks, with commas between them; `unix:` and `*` count too."""
    try:
        TrustedProxies(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected addresses and networks as in 10.0.0.7,10.1.0.0/16, unix: or *, got {text!r}"
        ) from None
    return text


def size_or_zero(text: str) -> int:
    return 0 if text == "0" else size(text)


def share(text: str) -> float:
    """A part of a whole, as in 0.4 or 40%, or bytes, which are more than 1, as in 8GiB."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?%|[0-9]*\.[0-9]+|1", text):
        return size(text)
    part = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 < part <= 1:
        raise argparse.ArgumentTypeError(f"expected more than 0 and no more than all, got {text!r}")
    return part


# kind of a setting -> how its text is read, and its metavar in `--help`
KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "batch_size": (batch_size, "N"),
    "file": (Path, "FILE"),
    "folder": (Path, "FOLDER"),
    "module": (module, "MODULE"),
    "name": (name, "NAME[=MODEL]"),
    "natural": (natural, "N"),
    "on_off": (on_off, "{on,off}"),
    "origin": (origin, "ORIGIN"),
    "pattern": (pattern, "PATTERN"),
    "root": (root, "FOLDER"),
    "port": (port, "PORT"),
    "positive": (positive, "N"),
    "proxies": (proxies, "ADDRESSES"),
    "host": (host, ""),
    "root_path": (root_path, "PREFIX"),
    "seconds": (seconds, "SECONDS"),
    "seconds_or_zero": (seconds_or_zero, "SECONDS"),
    "share": (share, "SHARE"),
    "size": (size, "SIZE"),
    "size_or_zero": (size_or_zero, "SIZE"),
    "text": (str, ""),  # named as its setting
    "workers": (workers, "N"),
}
