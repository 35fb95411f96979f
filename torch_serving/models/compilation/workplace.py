"""A folder for all that compiling writes, which is gone when it ends.

torch and Triton keep caches in the home of the user and in the system's temporary folder. Here they
are told another place before they are imported.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from torch_serving.errors import StartupError

# Variables of the environment -> their folder.
FOLDERS = {
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
    "TMPDIR": "tmp",
}


@contextmanager
def workplace() -> Iterator[Path]:
    """Make a folder that only this user may read, and remove it, on SIGTERM too.

    For the main thread of a process that compiles one model and ends. Raises StartupError.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="torch-serving-compile-"))
    except OSError as error:
        raise StartupError(
            f"there is no temporary folder ({error.strerror}); name one in TMPDIR"
        ) from None
    previous = signal.signal(signal.SIGTERM, end_process)
    before = {name: os.environ.get(name) for name in FOLDERS}
    try:
        check_executable(folder)
        for name, part in FOLDERS.items():
            (folder / part).mkdir()
            os.environ[name] = str(folder / part)
        tempfile.tempdir = os.environ["TMPDIR"]
        yield folder
    finally:
        tempfile.tempdir = None
        restore(before)
        signal.signal(signal.SIGTERM, previous)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def reserved(path: Path) -> Iterator[Path]:
    """Make an empty file beside `path`; what was written to it takes the place of `path`.

    Where anything is raised, or nothing was written, nothing is left. Raises StartupError where
    nothing can be written. No server takes the file for a model before it is whole.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.touch(exist_ok=False)
    except OSError as error:
        raise StartupError(f"can't write to {path.parent}: {error.strerror}") from None
    try:
        yield draft
        if draft.stat().st_size:
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def end_process(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def restore(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def check_executable(folder: Path) -> None:
    """Raise StartupError for a folder on a disk from which no library may be loaded."""
    if hasattr(os, "ST_NOEXEC") and os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise StartupError(
            f"{folder.parent} is mounted noexec, and compiled code must be tried; "
            "name another temporary folder in TMPDIR"
        )
