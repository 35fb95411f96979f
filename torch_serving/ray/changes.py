"""What has changed -> commands of HAProxy's Runtime API, which need no reload."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch_serving.ray.table import DRAIN, READY, Endpoint

BACKEND = "nodes"  # as `haproxy.cfg` calls it
SAFE = re.compile(r"[\w./+@:,=~%&!?-]+")  # a word of a command, and nothing else


def server_commands(before: Mapping[int, Endpoint], after: Mapping[int, Endpoint]) -> list[str]:
    """Return what turns the nodes before into those after, both by slot.

    A node that drains or is gone keeps the requests that it has: `on-marked-down shutdown-sessions`
    would cut them.
    """
    commands: list[str] = []
    for slot, endpoint in sorted(after.items()):
        if before.get(slot) != endpoint:
            commands += commands_for(before.get(slot), endpoint)
    gone = sorted(before.keys() - after.keys())
    return commands + [f"set server {BACKEND}/n{slot} state maint" for slot in gone]


def commands_for(before: Endpoint | None, endpoint: Endpoint) -> Iterator[str]:
    server = f"{BACKEND}/n{endpoint.slot}"
    if before is None or (before.host, before.port) != (endpoint.host, endpoint.port):
        yield f"set server {server} state maint"
        yield f"set server {server} addr {endpoint.host} port {endpoint.port}"
    yield f"set server {server} state {DRAIN if endpoint.state == DRAIN else READY}"
    if endpoint.state == READY:
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


def is_safe(key: str) -> bool:
    """Whether a model's key can stand in a command; others have one copy."""
    return SAFE.fullmatch(key) is not None
