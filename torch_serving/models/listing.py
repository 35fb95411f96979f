"""Which files below the model root are models, and why others are not."""

import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from torch_serving.errors import ServingError
from torch_serving.model_config import MAX_IDENTIFIER_BYTES
from torch_serving.models.backends.registry import suffixes
from torch_serving.models.files import open_regular

logger = logging.getLogger(__name__)

ZIP = b"PK\x03\x04"  # the first bytes of an archive
VANISHED = "it has vanished"  # of which nobody needs to be told
MAX_TOLD = 100  # names that the log has

FindFile = Callable[[str], object]  # raises ServingError for a path that may not be opened
IsArchive = Callable[[str], bool]


class Listing:
    """Lists models: files with a model's suffix, and others that hold one.

    Whatever a request may name is listed, and nothing else is.
    """

    def __init__(
        self, root: str, find: FindFile, is_model: IsArchive, is_first_report: Callable[[str], bool]
    ) -> None:
        """`find` takes the name of a file inside the root, `is_model` looks at its contents.

        `is_first_report` says whether no other process has told a fact.
        """
        self._root = root
        self._find = find
        self._is_model = is_model
        self._is_first_report = is_first_report
        self._told: set[str] = set()

    def names(self) -> Iterator[str]:
        """All names below the root, in no order; a folder that vanishes has none."""
        for folder, folders, files in os.walk(self._root):
            self._tell_links(folder, folders)
            for file in files:
                name = os.path.relpath(f"{folder}/{file}", self._root)
                if self._is_listed(name):
                    yield name

    def _tell_links(self, folder: str, folders: Iterable[str]) -> None:
        """Tell of links to folders outside the root; those inside are listed by their own names."""
        for each in folders:
            path = f"{folder}/{each}"
            if os.path.islink(path) and not is_inside(path, self._root):
                self._tell(os.path.relpath(path, self._root), "the link leads out of the root")

    def _is_listed(self, name: str) -> bool:
        path = f"{self._root}/{name}"
        has_suffix = name.endswith(tuple(suffixes()))
        if has_suffix or os.path.islink(path):
            problem = self._problem(name)
            if problem:
                self._tell(name, problem)
                return False
        return has_suffix or (begins_as_archive(path) and self._is_model(name))

    def _problem(self, name: str) -> str:
        """Why a request can't name a file; empty if it can."""
        try:
            if len(name.encode()) > MAX_IDENTIFIER_BYTES:
                return f"its name has more than {MAX_IDENTIFIER_BYTES} bytes"
            if not stat.S_ISREG(os.lstat(f"{self._root}/{name}").st_mode):
                self._find(name)  # a link leads anywhere; what is no link is inside
        except UnicodeEncodeError:
            return "its name is not UTF-8"
        except OSError:
            return VANISHED
        except ServingError:
            is_link = os.path.islink(f"{self._root}/{name}")
            return "the link leads to no file inside the root" if is_link else "it is no file"
        return ""

    def _tell(self, name: str, problem: str) -> None:
        if problem != VANISHED and name not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(name)
            shown = name.encode("utf-8", "backslashreplace").decode()
            if self._is_first_report(f"{shown} is not listed: {problem}"):
                logger.warning("%s is not listed: %s", shown, problem)


def is_inside(path: str, root: str) -> bool:
    followed = os.path.realpath(root)
    return f"{os.path.realpath(path)}/".startswith(f"{followed.rstrip('/')}/")


def begins_as_archive(path: str) -> bool:
    """Whether a file without a model's suffix may be one: only files with contents are opened."""
    with suppress(OSError):
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and status.st_blocks:  # those of /proc and /sys have none
            with open(open_regular(Path(path)), "rb", buffering=0) as file:
                return file.read(len(ZIP)) == ZIP
    return False
