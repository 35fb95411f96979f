"""What both clients share: options, models by name, and the calls of each."""

import ssl
from typing import Any, Generic, TypeVar

from torch_serving.client.arrays import MAKERS
from torch_serving.client.calls import Calls, Options, Target
from torch_serving.client.transport import Connections, address_of

Self = TypeVar("Self", bound="AnyModel[Any]")
ClientType = TypeVar("ClientType", bound="AnyClient")


class AnyClient:
    """One server, how it is reached, and how calls are made unless a model says otherwise."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        options: Options,
        verify: bool | str | ssl.SSLContext,
        connections: int | None,
    ) -> None:
        self.url = url
        self.options = checked(options)
        self.calls = Calls()
        if connections is not None and connections < 1:
            raise ValueError(f"connections is at least 1, or None; got {connections!r}")
        self.connections = Connections(address_of(url), api_key, verify, connections)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


def checked(options: Options) -> Options:
    """Raise ValueError for options that mean nothing."""
    if options.results not in MAKERS:
        raise ValueError(f"results is one of {', '.join(MAKERS)}, got {options.results!r}")
    if options.timeout_s is not None and not options.timeout_s > 0:
        raise ValueError(f"timeout_s is more than 0, or None; got {options.timeout_s!r}")
    if options.retries < 0:
        raise ValueError(f"retries is at least 0, got {options.retries!r}")
    return options


class AnyModel(Generic[ClientType]):
    """A method of a model on a server; `forward` unless another is chosen.

    Attributes of other names are the model's methods: `client["m.pt"].encode(x)`.
    """

    def __init__(self, client: ClientType, target: Target, options: Options) -> None:
        self._client = client
        self._target = target
        self._options = options

    def __repr__(self) -> str:
        method = f".{self._target.method}" if self._target.method else ""
        return f"{self._client!r}[{self._target.model!r}]{method}"

    def __getattr__(self: Self, name: str) -> Self:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return self.method(name)

    def method(self: Self, name: str) -> Self:
        """Choose a method, whatever its name."""
        return self._with(self._target._replace(method=name), self._options)

    def on(self: Self, device: str) -> Self:
        """Choose the device it runs on: `cpu`, `cuda`, `cuda:1`."""
        return self._with(self._target._replace(device=device), self._options)

    def with_options(self: Self, **options: Any) -> Self:
        """Make calls with another `timeout_s`, `retries`, `results` or `repeatable`."""
        return self._with(self._target, checked(self._options._replace(**options)))

    def _with(self: Self, target: Target, options: Options) -> Self:
        return type(self)(self._client, target, options)
