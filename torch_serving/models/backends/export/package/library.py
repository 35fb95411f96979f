"""The library in a package: found in the archive, copied to where it may run, and loaded."""

import errno
import fcntl
import mmap
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch

from torch_serving.engine.device_errors import device_error
from torch_serving.errors import NO_DESCRIPTOR, InvalidServable, Overloaded, ServingError
from torch_serving.models.backends.export.package._aoti import Package, PackageError, is_loaded
from torch_serving.models.backends.export.package.folder import PackageFolder
from torch_serving.models.backends.export.package.load_problems import load_problem
from torch_serving.models.backends.export.package.machine import read_metadata
from torch_serving.models.backends.export.package.symbols import (
    DAMAGED,
    OWN_CHECK_INPUTS,
    let_check_inputs,
    let_unload,
)

# How many runs of one package may be inside its library at once. Each costs some kilobytes; more
# executor threads than that wait.
RUNNERS = 32
COPY_BYTES = 1 << 20
IN_MEMORY = "torch-serving package"
LIBRARY, METADATA, SOURCE = ".so", "_metadata.json", ".cpp"
WEIGHTS = ("weights_config.json", ".blob", "_weights.pt")
PROGRAM_NEEDS = ".json"  # the nodes that torch's loader runs by the operators of the process
NO_SOURCE = "it holds the source of a package, not its library: compile it without package_cpp_only"
WEIGHTS_APART = (
    "the weights of its package are not in its library: compile it with package_constants_in_so"
)

# Each library reads in its first run whether it is to check its inputs. Its ranges are narrower
# than those of its program, for torch narrows them as it compiles: where the program tells ranges,
# they were checked already.
os.environ.setdefault(OWN_CHECK_INPUTS.rstrip(b"\0").decode(), "1")


class PackageFiles(NamedTuple):
    """The entries of a package in an archive, which lie below `root`."""

    root: str
    library: str
    metadata: Mapping[str, str]
    needs_loader: bool  # whether torch's own loader must run it
    others: tuple[str, ...]  # what the library reads itself, as kernels for cards


def package_files(archive: zipfile.ZipFile, folder: str) -> PackageFiles:
    """Find what a package has, in a folder of an archive. Raises InvalidServable."""
    names = [name for name in archive.namelist() if name.startswith(folder)]
    libraries = [name for name in names if name.endswith(LIBRARY)]
    described = [name for name in libraries if stem(name) + METADATA in names]
    if any(name.endswith(WEIGHTS) for name in names):
        raise InvalidServable(WEIGHTS_APART)
    if len(described) != 1:
        raise InvalidServable(
            NO_SOURCE if not libraries else "its package has no library with metadata"
        )
    others = [
        name for name in names if not name.endswith((LIBRARY, METADATA, SOURCE, PROGRAM_NEEDS))
    ]
    needs_loader = any(
        name.endswith(PROGRAM_NEEDS) and not name.endswith(METADATA) for name in names
    )
    metadata = read_metadata(archive.read(stem(described[0]) + METADATA))
    return PackageFiles(folder, described[0], metadata, needs_loader, tuple(others))


def stem(name: str) -> str:
    return name.removesuffix(LIBRARY)


class Library(NamedTuple):
    """A library that is loaded, and the functions of torch that it calls."""

    package: Package
    calls: frozenset[str]


def load_library(
    archive: zipfile.ZipFile,
    files: PackageFiles,
    device: torch.device,
    runners: int = RUNNERS,
    checks_inputs: bool = True,
) -> Library:
    """Load a package's library, and the model in it onto a device. Raises InvalidServable."""
    try:
        folder = PackageFolder(archive, files.others, files.root) if files.others else None
        with unpacked(archive, files.library, checks_inputs) as (path, calls):
            return Library(Package(path, str(device), runners, folder), calls)
    except OSError as error:
        raise file_problem(error) from error
    except PackageError as error:
        raise refusal(error) from error


def refusal(error: PackageError) -> ServingError:
    """The error of a load."""
    return device_error(error, "the model") or InvalidServable(load_problem(error))


@contextmanager
def unpacked(
    archive: zipfile.ZipFile, name: str, checks_inputs: bool
) -> Iterator[tuple[str, frozenset[str]]]:
    """A path to a copy of a library, and what it calls.

    The copy has no name in any folder, so nothing of it can be left behind.
    """
    size = archive.getinfo(name).file_size
    if not size:
        raise InvalidServable(DAMAGED)
    try:
        descriptor = unnamed_file(size)
    except OSError as error:
        raise file_problem(error) from error
    try:
        with archive.open(name) as content, open(descriptor, "wb", closefd=False) as copy:
            shutil.copyfileobj(content, copy, COPY_BYTES)
        calls = prepare(descriptor, checks_inputs)
        descriptor = with_unused_path(descriptor)
        yield path_of(descriptor), calls
    except OSError as error:
        raise file_problem(error) from error
    finally:
        os.close(descriptor)


def prepare(descriptor: int, checks_inputs: bool) -> frozenset[str]:
    """Change a copy of a library as this server needs it. Return the functions that it calls."""
    with mmap.mmap(descriptor, 0) as library, memoryview(library) as view:
        calls = let_unload(view)
        if checks_inputs:
            let_check_inputs(library)
    return calls


def unnamed_file(size: int) -> int:
    """A file on the disk, or where that can't execute it, or is full, in memory."""
    try:
        flags = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
        descriptor = os.open(tempfile.gettempdir(), flags, stat.S_IRWXU)
    except OSError:
        return os.memfd_create(IN_MEMORY)
    try:
        if not os.fstatvfs(descriptor).f_flag & os.ST_NOEXEC:
            os.posix_fallocate(descriptor, 0, size)
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return os.memfd_create(IN_MEMORY)


def with_unused_path(descriptor: int) -> int:
    """Move a descriptor: of two libraries with one path, the linker takes the one it has."""
    while is_loaded(path_of(descriptor)):
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, descriptor + 1)
        os.close(descriptor)
        descriptor = moved
    return descriptor


def path_of(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def file_problem(error: OSError) -> ServingError:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Overloaded(NO_DESCRIPTOR)
    return InvalidServable(f"there is no place for its package's library: {error.strerror}")
