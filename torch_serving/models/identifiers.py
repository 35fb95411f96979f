"""Identifiers -> names and paths below the model root, and what tells a file from its successor."""

import functools
import os
import posixpath
from pathlib import Path
from typing import NamedTuple

import torch

from torch_serving.errors import InvalidServable
from torch_serving.models.servable import Identity
from torch_serving.server.ipc.scoreboard import board_name

MAX_IDENTIFIER = 1024  # characters; a path can't be longer than 4096 bytes


class Place(NamedTuple):
    """A model's normalised name, its path (links not followed yet), its key in the cache, and its
    name for the board."""

    name: str
    path: str
    key: str
    board_name: bytes


@functools.lru_cache(maxsize=1024)
def place_of(root: str, identifier: str, device: torch.device) -> Place:
    """Where a model is looked for."""
    name = name_of(identifier)
    return Place(name, f"{root}/{name}", key_of(name, device), board_name(name))


def key_of(name: str, device: torch.device) -> str:
    return f"{name}\0{device}"


def name_of(identifier: str) -> str:
    """Normalise an identifier. Refuses one that points outside the root."""
    name = posixpath.normpath(identifier)
    if (
        not 0 < len(identifier) <= MAX_IDENTIFIER
        or name.startswith(("/", "../"))
        or name in (".", "..")
        or "\0" in identifier
    ):
        raise no_such_model(identifier)
    return name


def identity_of(place: Place) -> Identity:
    """What tells a file from the one that replaces it. Raises InvalidServable if there is none."""
    try:
        status = os.stat(place.path)
    except (OSError, ValueError):
        raise no_such_model(place.name) from None
    return (status.st_mtime_ns, status.st_ino, status.st_size, status.st_dev)


def real_path_of(root: str, place: Place) -> Path:
    """The file itself, links followed. Raises InvalidServable for one outside the root, or none."""
    try:
        path = Path(os.path.realpath(place.path))
    except ValueError:  # half of a surrogate pair is in no file's name
        raise no_such_model(place.name) from None
    if not path.is_relative_to(root) or not os.path.isfile(path):  # of any length
        raise no_such_model(place.name)
    return path


def no_such_model(name: str) -> InvalidServable:
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    return InvalidServable(f"`{shown}`: there is no such file below the model root")
