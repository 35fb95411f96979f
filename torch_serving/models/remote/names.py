"""Which keys of a remote root become names of files here, and why others do not."""

import os
import posixpath
from collections.abc import Iterable

from torch_serving.model_config import MAX_IDENTIFIER_BYTES
from torch_serving.models.file_names import MANIFEST, SIDECARS, SUFFIXES
from torch_serving.models.remote.source import Entry

MAX_ENTRIES = 200_000  # that are kept of a root: models, and the files beside them
MAX_COMPONENT_BYTES = 255  # of a file system


def usable(
    entries: Iterable[Entry], ignores_case: bool = False
) -> tuple[dict[str, Entry], list[str]]:
    """Return what may be fetched by its name, and a line for each key that may not.

    A file system that `ignores_case` has room for one of two names that differ by case alone.
    """
    found: dict[str, Entry] = {}
    problems: list[str] = []
    spelt: dict[str, str] = {}
    for entry in entries:
        if not is_wanted(entry.name) or (is_model(entry.name) and entry.size == 0):
            continue  # folders of buckets may be empty objects
        problem = problem_with(entry.name)
        if (
            not problem
            and ignores_case
            and spelt.setdefault(entry.name.lower(), entry.name) != entry.name
        ):
            problem = "another name differs from it by case alone"
        if problem:
            problems.append(f"{entry.name[:200]!r} is not listed: {problem}")
        elif len(found) >= MAX_ENTRIES:
            problems.append(f"only {MAX_ENTRIES:,} files are listed; the root has more")
            break
        else:
            found[entry.name] = entry
    for name in [each for each in found if is_below_file(each, found)]:
        del found[name]
        problems.append(f"{name!r} is not listed: a file has the name of its folder")
    return found, problems


def is_wanted(name: str) -> bool:
    """Whether a key is a model's, or that of a file which models have beside them."""
    return name == MANIFEST or name.endswith((*SUFFIXES, *SIDECARS))


def is_model(name: str) -> bool:
    return name.endswith(SUFFIXES)


def problem_with(name: str) -> str:
    """Why a key can't be the path of a file below a folder; empty if it can."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if "\0" in name or "\\" in name:
        return "its name has characters that no file has"
    if posixpath.normpath(name) != name or name.startswith(("/", "../")) or name == "..":
        return "its name is no plain path"
    if len(encoded) > MAX_IDENTIFIER_BYTES:
        return f"its name has more than {MAX_IDENTIFIER_BYTES} bytes"
    if max(map(len, encoded.split(b"/"))) > MAX_COMPONENT_BYTES:
        return f"a part of its name has more than {MAX_COMPONENT_BYTES} bytes"
    return ""


def is_below_file(name: str, found: dict[str, Entry]) -> bool:
    """Whether a folder of the name is a file, too, as only buckets can have it."""
    folder = posixpath.dirname(name)
    while folder:
        if folder in found:
            return True
        folder = posixpath.dirname(folder)
    return False


def beside(name: str) -> list[str]:
    """The names of the files that a model may have beside it."""
    stem = os.path.splitext(name)[0]
    return [f"{stem}{suffix}" for suffix in SIDECARS]
