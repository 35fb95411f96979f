"""Which device a model runs on."""

from typing import TYPE_CHECKING

import torch

from torch_serving.engine.devices import DevicePool, device_of, parse
from torch_serving.errors import InvalidDevice, InvalidServable, Overloaded
from torch_serving.model_config import ModelConfig
from torch_serving.models.identifiers import ModelPath, with_name
from torch_serving.models.settings import location_of

if TYPE_CHECKING:
    from torch_serving.models.repository import ModelRepository

CPU = torch.device("cpu")
MAX_CONFIGURED = 1024  # that are remembered


class DevicePlacement:
    """Chooses the device of a request, and remembers what the files beside models say.

    Safe to use from any thread.
    """

    def __init__(self, repository: "ModelRepository") -> None:
        self._repository = repository
        self._configured: dict[str, torch.device | None] = {}

    def choose(
        self, identifier: str, devices: DevicePool, requested: str | None = None
    ) -> torch.device:
        """Return the requested device, else the configured one, else one of `devices`.

        Raises InvalidServable for a configuration that is wrong, InvalidDevice, and DeviceFailed
        for a device that is left out.
        """
        if requested is not None:
            devices.check(requested)
            return device_of(requested)
        try:
            return self._remembered(identifier, devices) or devices.choose()
        except Overloaded:  # no descriptor is left to read the file; a loaded model needs none
            return devices.choose()

    def known(
        self, identifier: str, devices: DevicePool, requested: str | None = None
    ) -> torch.device | None:
        """Return what `choose` does, or None where that has to read a file."""
        if requested is not None:
            if devices.left_out:
                devices.check(requested)
            try:
                return device_of(requested)
            except InvalidDevice:
                return self.choose(identifier, devices, requested)
        if identifier in self._configured:
            return self._configured[identifier] or devices.choose()
        return self.choose(identifier, devices) if self._repository.is_loaded(identifier) else None

    def configured_name(self, identifier: str) -> str | None:
        """The device that the files beside a model name. Raises InvalidServable if they are wrong.

        The device is not looked at.
        """
        model = self._repository.resolve(identifier, CPU)
        try:
            name = self._repository.read_config(model).device
            if name is not None:
                parse(name)
            return name
        except InvalidServable as error:
            raise with_name(model.identifier, error) from error
        except InvalidDevice as error:
            raise InvalidServable(f"`{model.identifier}`: {error.detail}") from error

    def forget(self) -> None:
        """Read them again when they are next asked for."""
        self._configured.clear()

    def check(
        self, model: ModelPath, config: ModelConfig, devices: DevicePool | None = None
    ) -> torch.device | None:
        """Return the device that the files beside a model name, if any.

        Raises InvalidServable with file and line for one that does not exist, and DeviceFailed for
        one that `devices` leave out.
        """
        if config.device is None:
            return None
        try:
            if devices:
                devices.check(config.device)
            return device_of(config.device)
        except InvalidDevice as error:
            where = location_of("device", self._repository.real_path(model))
            raise InvalidServable(f"{where}: {error.detail}") from error

    def _remembered(self, identifier: str, devices: DevicePool) -> torch.device | None:
        if identifier in self._configured:
            return self._configured[identifier]
        device = self._read_configured(identifier, devices)
        if len(self._configured) >= MAX_CONFIGURED:
            self._configured.clear()
        self._configured[identifier] = device
        return device

    def _read_configured(self, identifier: str, devices: DevicePool) -> torch.device | None:
        model = self._repository.resolve(identifier, CPU)
        loaded = (
            each.config for each in self._repository.loaded() if each.identifier == model.identifier
        )
        try:
            config = next(loaded, None) or self._repository.read_config(model)
            return self.check(model, config, devices)
        except InvalidServable as error:
            raise with_name(model.identifier, error) from error
