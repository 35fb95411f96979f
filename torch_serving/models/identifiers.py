"""Identifiers of models -> normalised identifiers, paths below the model root, and cache keys."""

import functools
import hashlib
import os
import posixpath
from pathlib import Path
from typing import NamedTuple

import torch

from torch_serving.errors import InvalidServable
from torch_serving.model_config import MAX_IDENTIFIER_BYTES
from torch_serving.models.files import FileStat, file_stat

MAX_SHARED_BYTES = 512  # of UTF-8: the room for a name in memory that processes share
MAX_SHOWN = 100  # characters of an identifier in a message


class NoSuchModel(InvalidServable):
    """There is no file with this name; the message names it."""


class ModelPath(NamedTuple):
    """A model on a device: its normalised identifier, its path, and its key in the cache.

    Links in `path` are not followed yet. `shared` is its name in memory that processes share.
    """

    identifier: str
    path: str
    key: str
    shared: str


@functools.lru_cache(maxsize=1024)
def resolve(root: str, identifier: str, device: torch.device) -> ModelPath:
    """Say where a model is looked for. Raises InvalidServable, as `normalize` does."""
    identifier = normalize(identifier)
    key = cache_key(identifier, device)
    return ModelPath(identifier, f"{root}/{identifier}", key, shared_name(identifier))


def cache_key(identifier: str, device: torch.device) -> str:
    return f"{identifier}\0{device}"


def cache_group(device: torch.device) -> int:
    """The number by which the cache knows a device."""
    return -1 if device.type == "cpu" else device.index or 0


def normalize(identifier: str) -> str:
    """Normalise an identifier.

    Raises InvalidServable for one that is empty, too long or no UTF-8, and for one that points
    outside the root.
    """
    normalized = posixpath.normpath(identifier)
    if (
        not 0 < len(utf8(identifier)) <= MAX_IDENTIFIER_BYTES
        or normalized.startswith(("/", "../"))
        or normalized in (".", "..")
        or "\0" in identifier
        or not is_utf8(identifier)
    ):
        raise no_such_model(identifier)
    return normalized


def is_utf8(identifier: str) -> bool:
    """Whether there are no halves of surrogate pairs in it."""
    try:
        return bool(identifier.encode())
    except UnicodeEncodeError:
        return False


def utf8(identifier: str) -> bytes:
    """Encode an identifier for shared memory; half of a surrogate pair becomes `?`."""
    return identifier.encode("utf-8", "replace")


def shared_name(identifier: str) -> str:
    """The name of a model where there is little room: a long one ends with its digest instead."""
    name = utf8(identifier)
    if len(name) <= MAX_SHARED_BYTES:
        return identifier
    digest = hashlib.sha256(name).hexdigest()
    start = name[: MAX_SHARED_BYTES - len(digest) - 1].decode("utf-8", "ignore")
    return f"{start}~{digest}"


def stat_file(model: ModelPath) -> FileStat:
    """Return a file's stat, which no successor has. Raises InvalidServable if there is no file."""
    try:
        return file_stat(os.stat(model.path))
    except (OSError, ValueError):
        raise no_such_model(model.identifier) from None


def real_path(root: str, model: ModelPath) -> Path:
    """Follow the links of a path. Raises InvalidServable for a file outside the root, or none.

    The root may be a link that is swapped meanwhile: it is followed once.
    """
    followed = os.path.realpath(root)
    path = existing(f"{followed}/{model.identifier}", model.identifier)
    if not path.startswith(f"{followed.rstrip('/')}/"):
        raise no_such_model(model.identifier)
    return Path(path)


def existing(path: str, identifier: str) -> str:
    """Follow the links of a path to a file. Raises InvalidServable if there is none."""
    try:
        followed = os.path.realpath(path)
    except ValueError:  # half of a surrogate pair is in no file's name
        raise no_such_model(identifier) from None
    if not os.path.isfile(followed):  # takes paths of any length
        raise no_such_model(identifier)
    return followed


def no_such_model(identifier: str) -> NoSuchModel:
    shown = identifier if len(identifier) <= MAX_SHOWN else f"{identifier[:MAX_SHOWN]}…"
    return NoSuchModel(f"`{shown}`: there is no such file below the model root")


def with_name(identifier: str, error: InvalidServable) -> InvalidServable:
    """The error of a model, whose message begins with its name."""
    if isinstance(error, NoSuchModel):
        return error
    return InvalidServable(f"`{identifier}`: {error.detail}")
