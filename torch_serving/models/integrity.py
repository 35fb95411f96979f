"""What must hold of a model file before torch sees it.

torch reads what a file says without a look at its checksums: a flipped bit in a weight loads, and
the model answers nonsense. So the file is opened once, and what is open is checked and then loaded.
"""

import hashlib
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from torch_serving.errors import InvalidServable, file_error
from torch_serving.models.files import open_regular, read_regular

# Weights are stored as they are, and code packs well: more than this is no model.
MOST_UNPACKED, ALWAYS_UNPACKED = 16, 16 << 20
CHUNK_BYTES = 1 << 20
LIST = "models.sha256"  # beside the models; optional
CLOSED_LIST = f"{LIST} can't be read, and only what it lists may be loaded"
EXPECTED = "models are saved with torch.jit.save"


class OpenFile(NamedTuple):
    """A file that is open, and a path to it, whatever stands where it was found by now."""

    descriptor: int
    path: Path


def open_file(descriptor: int, path: Path) -> OpenFile:
    """Only Linux has a path to what is open; elsewhere it is `path`, where it was found."""
    on_linux = sys.platform == "linux"
    return OpenFile(descriptor, Path(f"/proc/self/fd/{descriptor}") if on_linux else path)


@contextmanager
def opened(path: Path, digest: str | None = None) -> Iterator[OpenFile]:
    """Open and check a file.

    Raises InvalidServable for what is no regular file, or no whole TorchScript archive, or has
    another SHA-256 than `digest`.
    """
    try:
        descriptor = open_regular(path)
    except OSError as error:
        raise file_error(error, "the file can't be opened") from None
    try:
        file = open_file(descriptor, path)
        if digest is not None and digest_of(file.path) != digest:
            raise InvalidServable(f"its SHA-256 is not the one in {LIST}")
        check(file.path)
        yield file
    finally:
        os.close(descriptor)


def digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def version_of(path: Path) -> str:
    """A name for the contents of a file, from the checksums that it holds: quick for any size.

    Raises InvalidServable for what is no archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise InvalidServable(f"not a TorchScript archive; {EXPECTED}") from None
    digest = hashlib.sha256()
    for entry in sorted(entries, key=lambda entry: entry.filename):
        name = entry.filename.partition("/")[2]  # the folder is named after the first file name
        digest.update(f"{name}\0{entry.CRC}\0{entry.file_size}\n".encode("utf-8", "replace"))
    return digest.hexdigest()[:12]


def listed_digest(root: Path, name: str) -> str | None:
    """The SHA-256 that a model must have, if the root has a list of them (as sha256sum makes it).

    Raises InvalidServable for a model that is not in the list, or for a list that can't be read.
    """
    try:
        lines = read_regular(root / LIST).decode().splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error(error, CLOSED_LIST) from None
    except UnicodeDecodeError:
        raise InvalidServable(CLOSED_LIST) from None
    for line in lines:
        digest, _, listed = line.partition(" ")
        if listed.lstrip(" *").removeprefix("./") == name:
            return digest.lower()
    raise InvalidServable(f"{LIST} does not list it")


def check(path: Path) -> None:
    """Raise InvalidServable for what is no TorchScript archive, or a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_contents(archive, path.stat().st_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InvalidServable(f"not a TorchScript archive ({error}); {EXPECTED}") from None
    except OSError as error:
        raise file_error(error, "the file can't be read") from None
    except (ValueError, RuntimeError, UnicodeDecodeError) as error:
        problem = type(error).__name__
        raise InvalidServable(f"not a TorchScript archive ({problem}); {EXPECTED}") from None


def check_contents(archive: zipfile.ZipFile, file_bytes: int) -> None:
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MOST_UNPACKED * file_bytes + ALWAYS_UNPACKED:
        raise InvalidServable(f"it unpacks to {unpacked:,} bytes, too many for its size")
    names = {name.partition("/")[2] for name in archive.namelist()}
    if "constants.pkl" not in names or not any(name.startswith("code/") for name in names):
        raise InvalidServable(f"not a TorchScript archive (it holds no code); {EXPECTED}")
    for entry in entries:
        with archive.open(entry) as content:  # to its end: then its checksum is compared
            while content.read(CHUNK_BYTES):
                pass
