"""Who is where, as the registry tells balancers."""

from collections.abc import Mapping
from typing import NamedTuple

READY, DRAIN, GONE = "ready", "drain", "gone"


class Endpoint(NamedTuple):
    """A node, its slot on the ring, and whether it takes new requests."""

    slot: int
    host: str
    port: int
    state: str = READY


class Table(NamedTuple):
    """All nodes, and the copies of hot models.

    None stands for what a registry that has just started does not know yet: who follows it keeps
    what was known.
    """

    version: int
    endpoints: tuple[Endpoint, ...] | None
    copies: Mapping[str, int] | None
