"""A `.pt2` file: a zip archive that holds an exported program, an AOTInductor package, or both.

A program is JSON with its weights as raw bytes beside it. Nothing here is unpickled or evaluated.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from torch_serving.errors import InvalidServable, file_error
from torch_serving.models.backends.export.archive.entries import check_entries, root_of
from torch_serving.models.backends.export.archive.json_object import HINT, parse_json
from torch_serving.models.backends.export.archive.payloads import check_payloads
from torch_serving.models.backends.export.archive.schema_check import check_document
from torch_serving.models.backends.other_files import explain_archive, explain_head
from torch_serving.models.integrity import check_checksums, contents_version, open_zip, zip_tells

Json = dict[str, Any]

KIND = "a .pt2 archive of torch.export"
FORMAT, FORMAT_NAME = "archive_format", b"pt2"
ARCHIVE_VERSIONS = ("0",)
SCHEMA_MAJORS = (8,)  # of the JSON: torch changes it where an old reader must not read on
PROGRAMS, PROGRAM_SUFFIX = "models/", ".json"
PACKAGES = "data/aotinductor/"
ADVICE = (
    f"export the model again with torch {torch.__version__}, the one here, or serve it with the "
    "torch that wrote it"
)
LEGACY = "serialized_exported_program.json"  # as torch.export.save wrote before archives
MAX_SMALL_BYTES = 64


class Contents(NamedTuple):
    """What an archive holds: the names of its program and of its package, None where it has none.

    `root` is the folder in which all entries lie, with a slash at its end.
    """

    root: str
    program: str | None
    package: str | None


def is_archive(path: Path) -> bool:
    """Whether a file says that it is such an archive. It may be damaged all the same."""
    return zip_tells(path, lambda archive: LEGACY in archive.NameToInfo or is_format(archive))


def holds_package(path: Path) -> bool:
    """Whether a file says that it is such an archive with a package."""
    return zip_tells(path, lambda archive: is_format(archive) and bool(names_in(archive)[1]))


def verify(path: Path) -> str:
    """Return the version of an archive, a name for its contents.

    Raises InvalidServable for a file that is no such archive, that is damaged, or that asks for
    what is not read from files: pickles, and Python to evaluate.
    """
    with open_archive(path) as archive:
        check_entries(archive, path.stat().st_size)
        check_checksums(archive)
        held = contents_of(archive)
        if held.program is not None:
            document = parse_document(archive, held)
            check_document(document)
            check_payloads(archive, held.root, held.program, document)
        return contents_version(archive)


def version(path: Path) -> str:
    """The same version, without a look at the contents."""
    with open_archive(path) as archive:
        contents_of(archive)
        return contents_version(archive)


def contents(path: Path) -> Contents:
    """Say what an archive holds. Raises InvalidServable, for several models too."""
    with open_archive(path) as archive:
        return contents_of(archive)


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive. Raises InvalidServable, also where reading fails inside the `with`."""
    try:
        hint = explain_head(path)
    except OSError as error:
        raise file_error(error, "the file can't be read") from None
    with open_zip(path, KIND, hint or HINT) as archive:
        if LEGACY in archive.NameToInfo:
            raise InvalidServable(legacy_problem(archive))
        if not is_format(archive):
            raise InvalidServable(f"not {KIND} (it has no {FORMAT}): {explain_archive(archive)}")
        yield archive


def is_format(archive: zipfile.ZipFile) -> bool:
    return read_small(archive, root_of(archive) + FORMAT) == FORMAT_NAME


def contents_of(archive: zipfile.ZipFile) -> Contents:
    root = root_of(archive)
    programs, packages = names_in(archive)
    for kind, names in (("programs", programs), ("packages", packages)):
        if len(names) > 1:
            raise InvalidServable(
                f"it holds several {kind} ({', '.join(sorted(names))}): save each in a file of "
                "its own"
            )
    if programs and packages and programs != packages:
        raise InvalidServable(
            f"its program {programs.pop()} and its package {packages.pop()} are different models: "
            "save each in a file of its own"
        )
    check_archive_version(archive, root, programs)
    if not programs and not packages:
        raise InvalidServable(f"not {KIND} (it holds neither a program nor a package); {HINT}")
    return Contents(root, next(iter(programs), None), next(iter(packages), None))


def names_in(archive: zipfile.ZipFile) -> tuple[set[str], set[str]]:
    """The names of the programs and of the packages in an archive."""
    root = root_of(archive)
    programs, packages = set(), set()
    for entry in archive.namelist():
        name = entry.removeprefix(root)
        if name.startswith(PROGRAMS) and name.endswith(PROGRAM_SUFFIX):
            programs.add(name[len(PROGRAMS) : -len(PROGRAM_SUFFIX)])
        elif name.startswith(PACKAGES) and "/" in name[len(PACKAGES) :]:
            packages.add(name[len(PACKAGES) :].partition("/")[0])
    return programs, packages


def check_archive_version(archive: zipfile.ZipFile, root: str, programs: set[str]) -> None:
    found = read_small(archive, f"{root}archive_version").decode("ascii", "replace")
    if found in ARCHIVE_VERSIONS:
        return
    writer = ""
    for name in programs:
        document = parse_json(archive, f"{root}{PROGRAMS}{name}{PROGRAM_SUFFIX}")
        writer = f", written by {writer_of(document)}"
    raise InvalidServable(
        f"its archive_version is {found[:20]!r}{writer}; supported is {ARCHIVE_VERSIONS[-1]!r}: "
        f"{ADVICE}"
    )


def parse_document(archive: zipfile.ZipFile, held: Contents) -> Json:
    name = f"{PROGRAMS}{held.program}{PROGRAM_SUFFIX}"
    document = parse_json(archive, held.root + name)
    schema = document.get("schema_version")
    major = schema.get("major") if isinstance(schema, dict) else None
    if major not in SCHEMA_MAJORS:
        raise InvalidServable(schema_problem(document))
    return document


def legacy_problem(archive: zipfile.ZipFile) -> str:
    """What to say of a program from the time before archives."""
    document = parse_json(archive, LEGACY)
    return (
        f"it is an exported program in the old format, written by {writer_of(document)}: {ADVICE}"
    )


def schema_problem(document: Json) -> str:
    found = document.get("schema_version")
    parts = (found.get("major"), found.get("minor")) if isinstance(found, dict) else ()
    shown = ".".join(str(part)[:20] for part in parts) or "missing"
    return (
        f"the schema_version of its program is {shown}, written by {writer_of(document)}; "
        f"supported are {', '.join(f'{major}.x' for major in SCHEMA_MAJORS)}: {ADVICE}"
    )


def writer_of(document: Json) -> str:
    """The torch that wrote a program, as the program says."""
    found = document.get("torch_version", "<=2.4")
    return f"torch {found[:40]}" if isinstance(found, str) else "an unknown torch"


def read_small(archive: zipfile.ZipFile, entry: str) -> bytes:
    """The first bytes of an entry; nothing where there is none."""
    if entry not in archive.NameToInfo:
        return b""
    with archive.open(entry) as content:
        return content.read(MAX_SMALL_BYTES)
