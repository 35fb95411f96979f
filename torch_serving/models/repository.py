"""The model files below one folder, and what the files beside them say."""

import fnmatch
import functools
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch

from torch_serving.errors import InvalidServable, ServingError
from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.registry import backend_of
from torch_serving.models.file_names import MANIFEST, SUFFIXES, matching
from torch_serving.models.files import FileStat, Sources
from torch_serving.models.identifiers import (
    ModelPath,
    NoSuchModel,
    existing,
    no_such_model,
    real_path,
    resolve,
    stat_file,
)
from torch_serving.models.imports import import_for_model
from torch_serving.models.integrity import (
    digest_in,
    expected_digest,
    open_model,
    remembered_digests,
)
from torch_serving.models.listing import Listing
from torch_serving.models.near_names import NearNames
from torch_serving.models.placement import CPU, DevicePlacement
from torch_serving.models.servable import ModelSource, Servable
from torch_serving.models.settings import (
    OPTIONS,
    read_configuration,
    read_model_config,
    sidecar_stats,
    stat_or_none,
)

MAX_LOOKS = 4096  # that are remembered
ReadConfig = Callable[[Path, ModelConfig, frozenset[str]], ModelConfig]


class Look(NamedTuple):
    """What is seen of a file at a glance: the version of its contents, or why it is no model.

    `kind` is its kind in words, None where it can't be read.
    `options` are the keys of TOML files that its kind has beside those of all kinds.
    """

    version: str | None
    problem: str
    options: frozenset[str] = OPTIONS
    kind: str | None = None


class ModelRepository:
    """Finds models by their identifiers. Loads none. Safe to use from any thread.

    `root` is a folder, or the file of the only model, which may be a link to anywhere: the operator
    named it. `defaults` returns the configuration of an identifier, where the files beside the
    model say nothing; `loaded` the models in memory, whose configuration holds until they are
    loaded anew.
    """

    is_remote = False
    stat = staticmethod(stat_file)  # of a loaded model's file

    def __init__(
        self,
        root: Path,
        defaults: Callable[[str], ModelConfig] = lambda _: ModelConfig(),
        is_first_report: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._only = Path(root).name if os.path.isfile(root) else ""
        # not followed, where it is a link: that may be swapped, and point to the next release
        self.root = os.path.abspath(Path(root).parent if self._only else root)
        self._defaults = defaults
        self.loaded: Callable[[], Iterable[Servable]] = tuple
        self._look = functools.lru_cache(MAX_LOOKS)(self._look_at)
        self._listing = Listing(self.root, self.check_exists, self._holds_model, is_first_report)
        self.near_names = NearNames(self.names)
        self.placement = DevicePlacement(self)
        self.other_names: Mapping[str, str] = {}  # name -> identifier, as the operator says

    def names(self, pattern: str = "*") -> list[str]:
        """The identifiers of the model files that match a pattern, in order."""
        found = (name for name in self._all_names() if fnmatch.fnmatchcase(name, pattern))
        return sorted(found, key=Path)

    def _all_names(self) -> Iterable[str]:
        return [self._only] if self._only else self._listing.names()

    def matching(self, pattern: str) -> list[str]:
        """The names that match a pattern, or match it without their suffix."""
        return matching(self.names(), pattern)

    def check_exists(self, identifier: str) -> str:
        """Return the normalised identifier of a file. Raises InvalidServable if there is none."""
        model = self.resolve(identifier, CPU)
        self.real_path(model)
        return model.identifier

    def find_identifier(self, name: str) -> str:
        """The identifier that a name means: another name, or that of a file without its suffix.

        Raises NoSuchModel.
        """
        name = self.other_names.get(name, name)
        model = self.resolve(name, CPU)
        if self.is_loaded(name) or os.path.isfile(model.path):
            return name
        for suffix in SUFFIXES:
            with suppress(NoSuchModel):
                return self.check_exists(model.identifier + suffix)
        raise no_such_model(model.identifier)

    def names_of(self, identifier: str) -> list[str]:
        """The other names of a model."""
        return [name for name, meant in self.other_names.items() if meant == identifier]

    def is_here(self, identifier: str) -> bool:
        """Whether a model's file is on this machine; those of remote roots may not be yet."""
        return True

    def prepare(self, patterns: tuple[str, ...]) -> None:
        """Make ready for models to be found, and for those of the patterns to be loaded.

        Called before processes are forked. Raises StartupError.
        """

    def bring(self, identifier: str) -> "Future[None] | None":
        """Begin to fetch what a load of a model needs; None if that is here. Reads files."""
        return None

    def note_loaded(self, identifiers: Iterable[str]) -> None:
        """Called with what is in memory of this process whenever that has changed."""

    def under_way(self) -> dict[str, tuple[int, int]]:
        """How many bytes have come of how many, of each model that is being fetched."""
        return {}

    def is_loaded(self, identifier: str) -> bool:
        """Whether a model is in memory, on any device."""
        identifier = self.resolve(identifier, CPU).identifier
        return any(each.identifier == identifier for each in self.loaded())

    def file_facts(self, identifier: str) -> dict[str, Any]:
        """The size of a file, its kind, and the version of its contents; None if there is none."""
        model = self.resolve(identifier, CPU)
        try:
            self.real_path(model)  # nothing is told of a file outside the root
            file = stat_file(model)
            look = self._look(model, file)
            return {"bytes": file[2], "kind": look.kind, "version": look.version}
        except ServingError:
            return {"bytes": None, "kind": None, "version": None}

    def problem_with(self, identifier: str) -> str:
        """Why a model can't be loaded, as far as that is seen at a glance; empty if nothing is."""
        model = self.resolve(identifier, CPU)
        try:
            problem = self._look(model, stat_file(model)).problem
            list_stat = stat_or_none(Path(self.root, MANIFEST))
            digest_in(remembered_digests(Path(self.root), list_stat), model.identifier)
            self.placement.check(model, self._read(model, read_configuration))
            return problem
        except InvalidServable as error:
            return error.detail
        except ServingError:  # of the moment
            return ""

    def file_bytes(self, identifier: str) -> int:
        """The size of a file. Raises InvalidServable if there is none."""
        return stat_file(self.resolve(identifier, CPU))[2]

    def resolve(self, identifier: str, device: torch.device) -> ModelPath:
        return resolve(self.root, identifier, device)

    def real_path(self, model: ModelPath) -> Path:
        """Follow the links of a path. Raises InvalidServable where there is no such model."""
        if self._only and model.identifier != self._only:
            raise no_such_model(model.identifier)
        if self._only:
            return Path(existing(model.path, model.identifier))
        return real_path(self.root, model)

    def read_config(self, model: ModelPath) -> ModelConfig:
        """Read the files beside a model. Raises InvalidServable with file and line."""
        return self._read(model, read_model_config)

    def _read(self, model: ModelPath, read: ReadConfig) -> ModelConfig:
        defaults = self._defaults(model.identifier)
        return read(self.real_path(model), defaults, self._look(model, stat_file(model)).options)

    def sources(self, model: ModelPath) -> Sources:
        """The stats of the files that a load depends on. Raises InvalidServable for no file."""
        file, sidecars = stat_file(model), sidecar_stats(self.real_path(model))
        return Sources(file, sidecars, stat_or_none(Path(self.root, MANIFEST)))

    def source(self, model: ModelPath, file: FileStat) -> ModelSource:
        """What a load begins with. Raises InvalidServable for a model that may not be loaded."""
        sidecars = sidecar_stats(self.real_path(model))
        digest = expected_digest(Path(self.root), model.identifier)
        return ModelSource(model.identifier, file, sidecars, digest)

    def import_modules(self, model: ModelPath) -> None:
        """Import what the file beside a model names. Raises InvalidServable."""
        config = self.read_config(model)
        import_for_model(config.imports, f"{Path(model.identifier).stem}.toml", self.root)

    def _look_at(self, model: ModelPath, file: FileStat) -> Look:
        options, kind = OPTIONS, None
        try:
            with open_model(self.real_path(model)) as opened:
                backend = backend_of(opened.path, model.identifier)
                options, kind = backend.options, backend.kind
                return Look(backend.version(opened.path), "", options, kind)
        except InvalidServable as error:
            return Look(None, error.detail, options)

    def _holds_model(self, identifier: str) -> bool:
        try:
            model = self.resolve(identifier, CPU)
            return not self._look(model, stat_file(model)).problem
        except (ServingError, UnicodeEncodeError):
            return False
