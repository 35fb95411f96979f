"""What has changed -> commands of HAProxy's Runtime API, which need no reload."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch_serving.ray.table import DRAIN, READY, Place

BACKEND = "nodes"  # as `haproxy.cfg` calls it
SAFE = re.compile(r"[\w./+@:,=~%&!?-]+")  # a word of a command, and nothing else


def server_commands(before: Mapping[int, Place], after: Mapping[int, Place]) -> list[str]:
    """Return what turns the nodes before into those after, both by slot.

    A node that drains or is gone keeps the requests that it has: `on-marked-down shutdown-sessions`
    would cut them.
    """
    commands: list[str] = []
    for slot, place in sorted(after.items()):
        if before.get(slot) != place:
            commands += changed(before.get(slot), place)
    gone = sorted(before.keys() - after.keys())
    return commands + [f"set server {BACKEND}/n{slot} state maint" for slot in gone]


def changed(before: Place | None, place: Place) -> Iterator[str]:
    server = f"{BACKEND}/n{place.slot}"
    if before is None or (before.host, before.port) != (place.host, place.port):
        yield f"set server {server} state maint"
        yield f"set server {server} addr {place.host} port {place.port}"
    yield f"set server {server} state {DRAIN if place.state == DRAIN else READY}"
    if place.state == READY:
        yield f"set server {server} health up"  # the next check would see it a second later


def copies_commands(file: Path, before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Return what turns the map of copies before into that after, by the keys of models."""
    commands = []
    for key, count in after.items():
        if key not in before:
            commands.append(f"add map {file} {key} {count}")
        elif before[key] != count:
            commands.append(f"set map {file} {key} {count}")
    return commands + [f"del map {file} {key}" for key in before if key not in after]


def map_text(copies: Mapping[str, int]) -> str:
    """The same as a file, for the start."""
    return "".join(f"{key} {count}\n" for key, count in copies.items())


def can_be_said(key: str) -> bool:
    """Whether a model's key can stand in a command; others have one copy."""
    return SAFE.fullmatch(key) is not None
