"""How a balancer knows models: the names that requests spell in several ways, as one key."""

import re

SAFE = re.compile(r"[\w ./+@:,=~%&!?-]+")  # means nothing to HAProxy within single quotes


def key_of(identifier: str) -> str:
    """Return what a model is called on the ring and in the map of copies.

    A suffix that may be left out in requests is not part of it, nor is what means nothing in a
    path. The same is written in `haproxy.cfg`.
    """
    return re.sub(r"(^|/)(\.?/)+", r"\1", re.sub(r"\.pt2?$", "", identifier))


def is_safe(identifier: str) -> bool:
    """Whether a name can stand in a configuration."""
    return SAFE.fullmatch(identifier) is not None
