"""What must hold of a model file before torch sees it.

torch ignores the checksums in a file: a flipped bit in a weight loads, and the model's results are
wrong. So a file is opened once, and the open file is verified and then loaded.
"""

import functools
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch_serving.errors import InvalidServable, file_error
from torch_serving.models.file_names import MANIFEST
from torch_serving.models.files import FileStat, OpenFile, open_file, open_regular, read_regular
from torch_serving.models.written_files import stable

# Weights are stored uncompressed, and code compresses well: what unpacks to more is no model.
MAX_UNPACK_RATIO, UNPACK_MARGIN_BYTES = 16, 16 << 20
MAX_DIRECTORY_BYTES = 16 << 20  # of an archive: some 200,000 names
CHUNK_BYTES = 1 << 20
VERSION_DIGITS = 12
UNREADABLE_MANIFEST = f"{MANIFEST} can't be read, and only what it lists may be loaded"
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)

Verify = Callable[[Path], str]  # returns a version; raises InvalidServable


@contextmanager
def open_model(path: Path) -> Iterator[OpenFile]:
    """Open a file. Raises InvalidServable for one that is not regular."""
    try:
        descriptor = open_regular(path)
    except OSError as error:
        raise file_error(error, "the file can't be opened") from None
    try:
        yield open_file(descriptor, path)
    finally:
        os.close(descriptor)


@contextmanager
def open_verified(
    path: Path, verify: Verify, digest: str | None = None, as_copy: bool = False
) -> Iterator[OpenFile]:
    """Open and verify a file, or a copy of it in memory, as `stable` makes it.

    Raises InvalidServable for a file that is not regular, that has another SHA-256 than `digest`,
    or that `verify` refuses, and FileChanging, at the end too, for one that is written to.
    """
    with open_model(path) as opened, stable(opened.descriptor, as_copy) as descriptor:
        file = open_file(descriptor, path)
        if digest is not None and sha256_of(file.path) != digest:
            raise InvalidServable(f"its SHA-256 is not the one in {MANIFEST}")
        yield file._replace(version=verify(file.path))


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def expected_digest(root: Path, identifier: str) -> str | None:
    """The SHA-256 that a model must have, if the root has a manifest (as sha256sum makes it).

    Raises InvalidServable for a model that is not in the manifest, and for a manifest that can't be
    read.
    """
    return digest_in(read_digests(root), identifier)


def digest_in(digests: Mapping[str, str] | None, identifier: str) -> str | None:
    if digests is None:
        return None
    if identifier not in digests:
        raise InvalidServable(f"{MANIFEST} does not list it")
    return digests[identifier]


def read_digests(root: Path) -> dict[str, str] | None:
    """The SHA-256 of each file that the manifest lists; None if there is no manifest."""
    try:
        lines = read_regular(root / MANIFEST).decode().splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error(error, UNREADABLE_MANIFEST) from None
    except UnicodeDecodeError:
        raise InvalidServable(UNREADABLE_MANIFEST) from None
    digests: dict[str, str] = {}
    for digest, _, listed in (line.partition(" ") for line in lines):
        digests.setdefault(listed.lstrip(" *").removeprefix("./"), digest.lower())
    return digests


@functools.lru_cache(maxsize=2)  # a listing asks for each model
def remembered_digests(root: Path, stat: FileStat | None) -> dict[str, str] | None:
    """What a manifest with this stat lists."""
    return read_digests(root)


class ZipSource(io.FileIO):
    """A file of which zipfile reads no directory that would keep it busy for minutes."""

    is_read = False  # the directory

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.is_read and size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its directory has {size:,} bytes")
        return super().read(-1 if size is None else size)


@contextmanager
def zip_at(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive. Raises what zipfile raises."""
    with ZipSource(path) as source, zipfile.ZipFile(source) as archive:
        source.is_read = True
        # where the end of a file is missing, zipfile finds an archive that is stored in it
        if min((entry.header_offset for entry in archive.infolist()), default=0):
            raise zipfile.BadZipFile("its end is missing, or something stands before it")
        yield archive


def zip_tells(path: Path, question: Callable[[zipfile.ZipFile], bool]) -> bool:
    """What a zip archive answers; False for all other files."""
    try:
        with zip_at(path) as archive:
            return question(archive)
    except (*UNREADABLE, OSError, ValueError, RuntimeError):
        return False


@contextmanager
def open_zip(path: Path, kind: str, hint: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive. Raises InvalidServable, also where reading it fails inside the `with`.

    The error says that it is not `kind`, as in "a TorchScript archive", and gives the `hint`.
    """
    try:
        with zip_at(path) as archive:
            yield archive
    except UNREADABLE as error:
        raise InvalidServable(f"not {kind} ({error}); {hint}") from None
    except OSError as error:
        raise file_error(error, "the file can't be read") from None
    except (ValueError, RuntimeError) as error:
        raise InvalidServable(f"not {kind} ({type(error).__name__}); {hint}") from None


def check_unpacked_size(archive: zipfile.ZipFile, file_bytes: int) -> None:
    """Raise InvalidServable for an archive that unpacks to far more than its own size."""
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_UNPACK_RATIO * file_bytes + UNPACK_MARGIN_BYTES:
        raise InvalidServable(f"it unpacks to {unpacked:,} bytes, too many for its size")


def check_checksums(archive: zipfile.ZipFile) -> None:
    """Read all entries to their ends, where zipfile compares checksums."""
    for entry in archive.infolist():
        with archive.open(entry) as content:
            while content.read(CHUNK_BYTES):
                pass


def contents_version(archive: zipfile.ZipFile) -> str:
    """A name for the contents of an archive, from the checksums in it: quick for any size."""
    digest = hashlib.sha256()
    for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
        name = entry.filename.partition("/")[2]  # the folder is named after the first file name
        digest.update(f"{name}\0{entry.CRC}\0{entry.file_size}\n".encode("utf-8", "replace"))
    return digest.hexdigest()[:VERSION_DIGITS]
