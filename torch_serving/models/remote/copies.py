"""The folder with the copies of a remote root: bounded, shared by processes, safe to be cut.

    files/     the copies, by their names: what the repository of models reads
    parts/     what is being fetched, and how much it will be
    state/     for each copy its version (.json), and whether it is in use or fetched (locks)
    index.json what the root had when it was last listed
    listed     its time is when that was

What is of another form is taken as not there. All locks are the kernel's: they end with the process
that holds them. The time of a `.use` file is when its model was last used; who has the model loaded
holds it.
"""

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from torch_serving.errors import StartupError
from torch_serving.models.file_names import SUFFIXES
from torch_serving.models.remote.disk import is_locked, locked, read_json, write_json
from torch_serving.models.remote.names import beside, is_model
from torch_serving.models.remote.source import Entry, Refused, Unreachable

DIGEST_DIGITS = 32
COPY = {"name": str, "version": str, "size": int}
COMING = {"name": str, "total": int}


class Copy(NamedTuple):
    """A file that is here."""

    name: str
    size: int
    used_s: float


class Copies:
    """The copies of one root. Safe to use from any thread and process."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Raises StartupError where there can be no such folder."""
        self.folder = folder
        self.files = folder / "files"
        self._limit_bytes = limit_bytes
        try:
            self.make_folders()
        except OSError as error:
            raise StartupError(f"--remote-cache: {folder.parent}: {error.strerror}") from None

    def make_folders(self) -> None:
        """Make what is missing, for nobody else to write to."""
        for each in (self.folder, self.files, self.folder / "parts", self.folder / "state"):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    def ignores_case(self) -> bool:
        """Whether the file system takes names for equal that differ by case alone."""
        return (self.folder / "FILES").exists()

    def version(self, name: str) -> str | None:
        """The version of a copy; None if there is none."""
        with suppress(OSError):
            state = read_json(self._state(name, "json"), COPY)
            status = (self.files / name).stat()
            if state and stat.S_ISREG(status.st_mode) and status.st_size == state["size"]:
                return str(state["version"])
        return None

    def put(self, entry: Entry, part: Path) -> None:
        """Move a file that is whole to its place. The version is said last."""
        place = self.files / entry.name
        state = {"name": entry.name, "version": entry.version, "size": part.stat().st_size}
        with self._locked("room"):
            self._make_way(place)
            with suppress(OSError):
                self._state(entry.name, "json").unlink()
            os.replace(part, place)
            write_json(self._state(entry.name, "json"), state)

    def _make_way(self, place: Path) -> None:
        """Remove copies where a folder or a file has to be: the root has another form now."""
        above = place.parents[: len(place.relative_to(self.files).parts) - 1]
        for each in above:
            if each.is_file():
                each.unlink()
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.rmtree(place)

    def names(self) -> list[str]:
        """The names of all copies."""
        return [each.name for each in self._here()]

    def drop(self, name: str) -> None:
        """Remove a copy. Who has it open or loaded keeps it."""
        for path in (self._state(name, "json"), self.files / name):
            with suppress(OSError):
                path.unlink()

    # What is under way.

    @contextmanager
    def fetching(self, name: str) -> Iterator[None]:
        """Wait until no other process fetches a file, and keep others from it."""
        with locked(self._state(name, "fetch")):
            try:
                yield
            finally:
                with suppress(OSError):
                    self._part(name, "json").unlink()

    def part(self, entry: Entry) -> Path:
        """Where a version of a file is written until it is whole; other versions are removed."""
        digest = hashlib.sha256(entry.version.encode()).hexdigest()[:DIGEST_DIGITS]
        part = self._part(entry.name, digest)
        for other in part.parent.glob(f"{key_of(entry.name)}.*"):
            if other != part:
                other.unlink(missing_ok=True)
        return part

    def announce(self, entry: Entry, size: int) -> None:
        """Say how large a file will be: for who asks, and for who counts the room."""
        write_json(self._part(entry.name, "json"), {"name": entry.name, "total": size})

    def under_way(self) -> dict[str, tuple[int, int]]:
        """How many bytes have come of how many, of each file that is being fetched."""
        found = {}
        for path in (self.folder / "parts").glob("*.json"):
            with suppress(OSError):
                said = read_json(path, COMING)
                if not said or not is_locked(self._state(said["name"], "fetch")):
                    continue
                parts = [each for each in path.parent.glob(f"{path.stem}.*") if each != path]
                done = sum(each.stat().st_size for each in parts)
                found[said["name"]] = (min(done, said["total"]), said["total"])
        return found

    # Room, and who needs what is here.

    def hold(self, name: str) -> int:
        """Keep a copy from being evicted while the descriptor is open, and note its use."""
        descriptor = os.open(self._state(name, "use"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        os.utime(descriptor)
        return descriptor

    def make_room(self, entry: Entry, size: int) -> None:
        """Evict what was not used for the longest time until a file fits. Raises RemoteError."""
        if size > self._limit_bytes:
            raise Refused(
                f"it has {size:,} bytes, more than --remote-cache-size ({self._limit_bytes:,})"
            )
        with self._locked("room"):
            here = list(self._here())
            coming = {name: total for name, (_, total) in self.under_way().items()}
            coming[entry.name] = size
            missing = sum(each.size for each in here) + sum(coming.values()) - self._limit_bytes
            if (missing := missing + self._left_bytes(coming)) > 0:
                missing -= self._left_bytes(coming, remove=True)
            models = (each for each in here if is_model(each.name) and each.name != entry.name)
            for each in sorted(models, key=lambda each: each.used_s):
                if missing <= 0:
                    break
                if self._evict(each.name):
                    missing -= each.size
            if missing > 0:
                raise Unreachable("--remote-cache-size is full of models that are in use")
            self.announce(entry, size)

    def _left_bytes(self, coming: Collection[str], remove: bool = False) -> int:
        """The bytes that are left of fetches which were cut, and that nobody goes on with."""
        keys = {key_of(name) for name in coming}
        count = 0
        for path in (self.folder / "parts").iterdir():
            with suppress(OSError):
                if path.name.lstrip(".").partition(".")[0] not in keys:
                    count += path.stat().st_size
                    if remove:
                        path.unlink()
        return count

    def _here(self) -> Iterator[Copy]:
        for path in (self.folder / "state").glob("*.json"):
            with suppress(OSError):
                state = read_json(path, COPY)
                if not state:
                    continue
                name = state["name"]
                used = path.with_suffix(".use")
                used_s = used.stat().st_mtime if used.exists() else 0.0
                yield Copy(name, (self.files / name).stat().st_size, used_s)

    def _evict(self, name: str) -> bool:
        """Remove a model and the files beside it, unless somebody holds it."""
        with locked(self._state(name, "use"), wait=False) as is_free:
            if not is_free:
                return False
            self.drop(name)
            stem = os.path.splitext(name)[0]
            if not any((self.files / f"{stem}{suffix}").exists() for suffix in SUFFIXES):
                for each in beside(name):
                    self.drop(each)
        return True

    def _locked(self, what: str) -> Any:
        return locked(self.folder / f"{what}.lock")

    def _state(self, name: str, kind: str) -> Path:
        return self.folder / "state" / f"{key_of(name)}.{kind}"

    def _part(self, name: str, kind: str) -> Path:
        return self.folder / "parts" / f"{key_of(name)}.{kind}"


def key_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:DIGEST_DIGITS]
