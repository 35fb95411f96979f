"""A TorchScript file: a zip archive that holds the model's code, constants and weights."""

import zipfile
from contextlib import AbstractContextManager
from pathlib import Path

from torch_serving.errors import InvalidServable, file_error
from torch_serving.models.backends.other_files import (
    HINT,
    explain_archive,
    explain_head,
)
from torch_serving.models.integrity import (
    check_checksums,
    check_unpacked_size,
    contents_version,
    open_zip,
    zip_tells,
)

KIND = "a TorchScript archive"
TENSORS = ("data/", "constants/")


def verify(path: Path) -> str:
    """Return the version of an archive.

    Raises InvalidServable for a file that is no TorchScript archive, or a damaged one.
    """
    with open_archive(path) as archive:
        check_unpacked_size(archive, path.stat().st_size)
        check_names(archive)
        check_checksums(archive)
        return contents_version(archive)


def version(path: Path) -> str:
    """The same version, without a look at the contents."""
    with open_archive(path) as archive:
        check_names(archive)
        return contents_version(archive)


def is_archive(path: Path) -> bool:
    """Whether a file holds code of TorchScript. It may be damaged all the same."""
    return zip_tells(path, holds_code)


def stored_bytes(path: Path) -> int:
    """The size of the tensors in an archive, which stand there as they do in memory."""
    with open_archive(path) as archive:
        return sum(
            entry.file_size
            for entry in archive.infolist()
            if entry.filename.partition("/")[2].startswith(TENSORS)
        )


def open_archive(path: Path) -> AbstractContextManager[zipfile.ZipFile]:
    try:
        hint = explain_head(path)
    except OSError as error:
        raise file_error(error, "the file can't be read") from None
    return open_zip(path, KIND, hint or HINT)


def holds_code(archive: zipfile.ZipFile) -> bool:
    names = {name.partition("/")[2] for name in archive.namelist()}
    return "constants.pkl" in names and any(name.startswith("code/") for name in names)


def check_names(archive: zipfile.ZipFile) -> None:
    if not holds_code(archive):
        raise InvalidServable(f"not {KIND} (it holds no code): {explain_archive(archive)}")
