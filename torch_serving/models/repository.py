"""The model files below one folder, and what the files beside them say."""

import fnmatch
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from torch_serving.engine.devices import DevicePool, device_of, parse
from torch_serving.errors import InvalidDevice, InvalidServable, Overloaded, ServingError
from torch_serving.model_config import MAX_IDENTIFIER_BYTES, ModelConfig
from torch_serving.models.backends.registry import backend_of, suffixes
from torch_serving.models.files import FileStat, Sources
from torch_serving.models.identifiers import (
    ModelPath,
    existing,
    no_such_model,
    real_path,
    resolve,
    stat_file,
)
from torch_serving.models.integrity import MANIFEST, expected_digest, open_model
from torch_serving.models.servable import ModelSource, Servable
from torch_serving.models.settings import (
    location_of,
    read_model_config,
    sidecar_stats,
    stat_or_none,
)

MAX_CONFIGURED_DEVICES = 1024  # that are remembered
MAX_VERSIONS = 4096  # that are remembered
CPU = torch.device("cpu")


class ModelRepository:
    """Finds models by their identifiers. Loads none. Safe to use from any thread.

    `root` is a folder, or the file of the only model, which may be a link to anywhere: the operator
    named it. `defaults` returns the configuration of an identifier, where the files beside the
    model say nothing; `loaded` the models in memory, whose configuration holds until they are
    loaded anew.
    """

    def __init__(
        self, root: Path, defaults: Callable[[str], ModelConfig] = lambda _: ModelConfig()
    ) -> None:
        self._only = Path(root).name if os.path.isfile(root) else ""
        # not followed, where it is a link: that may be swapped, and point to the next release
        self.root = os.path.abspath(Path(root).parent if self._only else root)
        self._defaults = defaults
        self._configured_device = functools.lru_cache(MAX_CONFIGURED_DEVICES)(
            self._read_configured_device
        )
        self.loaded: Callable[[], Iterable[Servable]] = tuple
        self._version = functools.lru_cache(MAX_VERSIONS)(self._read_version)

    def names(self, pattern: str = "*") -> list[str]:
        """The identifiers of the model files that match a pattern, in order."""
        names = [name for name in self._files() if fnmatch.fnmatchcase(name, pattern)]
        return sorted((name for name in names if self._is_model(name)), key=Path)

    def check_exists(self, identifier: str) -> str:
        """Return the normalised identifier of a file. Raises InvalidServable if there is none."""
        model = self.resolve(identifier, CPU)
        self.real_path(model)
        return model.identifier

    def file_facts(self, identifier: str) -> dict[str, Any]:
        """The size of a file, and the version of its contents; None where there is none."""
        model = self.resolve(identifier, CPU)
        try:
            self.real_path(model)  # nothing is told of a file outside the root
            file = stat_file(model)
            return {"bytes": file[2], "version": self._version(model, file)}
        except ServingError:
            return {"bytes": None, "version": None}

    def choose_device(
        self, identifier: str, devices: DevicePool, requested: str | None = None
    ) -> torch.device:
        """Return the requested device, else the configured one, else one of `devices`.

        Raises InvalidServable for a configuration that is wrong, and InvalidDevice.
        """
        if requested is not None:
            return device_of(requested)
        try:
            return self._configured_device(identifier) or devices.choose()
        except Overloaded:  # no descriptor is left to read the file; a loaded model needs none
            return devices.choose()

    def configured_device_name(self, identifier: str) -> str | None:
        """The device that the files beside a model name. Raises InvalidServable if they are wrong.

        The device is not looked at.
        """
        model = self.resolve(identifier, CPU)
        try:
            name = self.read_config(model).device
            if name is not None:
                parse(name)
            return name
        except (InvalidServable, InvalidDevice) as error:
            raise InvalidServable(f"`{model.identifier}`: {error.detail}") from error

    def forget_configured_devices(self) -> None:
        """Read them again when they are next asked for."""
        self._configured_device.cache_clear()

    def resolve(self, identifier: str, device: torch.device) -> ModelPath:
        return resolve(self.root, identifier, device)

    def real_path(self, model: ModelPath) -> Path:
        """Follow the links of a path. Raises InvalidServable where there is no such model."""
        if self._only and model.identifier != self._only:
            raise no_such_model(model.identifier)
        if self._only:
            return existing(model.path, model.identifier)
        return real_path(self.root, model)

    def read_config(self, model: ModelPath) -> ModelConfig:
        """Read the files beside a model. Raises InvalidServable with file and line."""
        defaults = self._defaults(model.identifier)
        options = backend_of(model.identifier).options
        return read_model_config(self.real_path(model), defaults, options)

    def check_device(self, model: ModelPath, config: ModelConfig) -> torch.device | None:
        """Return the device that the files beside a model name, if any.

        Raises InvalidServable with file and line for one that does not exist.
        """
        try:
            return None if config.device is None else device_of(config.device)
        except InvalidDevice as error:
            where = location_of("device", self.real_path(model))
            raise InvalidServable(f"{where}: {error.detail}") from error

    def sources(self, model: ModelPath) -> Sources:
        """The stats of the files that a load depends on. Raises InvalidServable for no file."""
        file, sidecars = stat_file(model), sidecar_stats(self.real_path(model))
        return Sources(file, sidecars, stat_or_none(Path(self.root, MANIFEST)))

    def source(self, model: ModelPath, file: FileStat) -> ModelSource:
        """What a load begins with. Raises InvalidServable for a model that may not be loaded."""
        sidecars = sidecar_stats(self.real_path(model))
        digest = expected_digest(Path(self.root), model.identifier)
        return ModelSource(model.identifier, file, sidecars, digest)

    def _read_configured_device(self, identifier: str) -> torch.device | None:
        model = self.resolve(identifier, CPU)
        loaded = (each.config for each in self.loaded() if each.identifier == model.identifier)
        try:
            return self.check_device(model, next(loaded, None) or self.read_config(model))
        except InvalidServable as error:
            raise InvalidServable(f"`{model.identifier}`: {error.detail}") from error

    def _read_version(self, model: ModelPath, file: FileStat) -> str:
        backend = backend_of(model.identifier)
        with open_model(self.real_path(model)) as opened:
            return backend.version(opened.path)

    def _files(self) -> Iterator[str]:
        """The paths below the root that end as a model's; a folder that vanishes has none."""
        if self._only:
            yield self._only
            return
        for folder, _, files in os.walk(self.root):
            for file in files:
                if file.endswith(tuple(suffixes())):
                    yield os.path.relpath(f"{folder}/{file}", self.root)

    def _is_model(self, name: str) -> bool:
        """Whether a path can be asked for and names a regular file inside the root."""
        try:
            if len(name.encode()) > MAX_IDENTIFIER_BYTES:
                return False
            self.real_path(ModelPath(name, f"{self.root}/{name}", ""))
        except (UnicodeEncodeError, ServingError):
            return False
        return True
