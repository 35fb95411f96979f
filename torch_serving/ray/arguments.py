"""The arguments of the two applications, as `torch-serving ray` and the YAML of Serve give them."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

from torch_serving.haproxy.fleet import HEADERS_S, REQUEST_S
from torch_serving.suggestions import did_you_mean

SLOTS = 128  # a restart of the balancers is needed for more, so there are plenty
DRAIN_S = 60.0  # the default of --shutdown-timeout
Arguments = TypeVar("Arguments")


@dataclass(frozen=True)
class NodesArguments:
    """Servers: how many, of what, and on which machines."""

    model_root: str
    nodes: str = "1"  # a number, or least and most as in 2-20
    flags: tuple[str, ...] = ()  # of each server
    waiting: float = 4.0  # requests a node that run or wait, which more or fewer nodes shall keep
    cpus: float = 1.0  # what Ray counts a node as; the server takes what its flags say
    gpus: float = 0.0
    resources: Mapping[str, float] = field(default_factory=dict)  # of Ray, that its machine has
    release: str = ""  # any text; another one replaces all nodes

    def __post_init__(self) -> None:
        counts_in(self.nodes)
        if not self.model_root:
            raise ValueError("model_root: expected the folder with the models")
        if self.waiting <= 0:
            raise ValueError("waiting: expected more than 0")

    @property
    def drain_s(self) -> float:
        """How long accepted requests of a node may take to end."""
        return float(flag_value(self.flags, "--shutdown-timeout") or DRAIN_S) + float(
            flag_value(self.flags, "--drain-delay") or 0
        )

    @property
    def api_key_file(self) -> str | None:
        return flag_value(self.flags, "--api-key-file")


@dataclass(frozen=True)
class BalancerArguments:
    """HAProxy: where it listens, on which machines, and how it chooses nodes."""

    port: int = 8000
    host: str = ""  # the address by which Ray knows its machine
    balancers: int = 1
    tls_cert: str = ""  # certificate and key in one file
    balance_factor: int = 300  # per cent of the mean load that a node may have
    max_copies: int = 0  # of a hot model; 0: as its rate wants, 1: none
    slots: int = SLOTS  # nodes there may be
    header_timeout: float = HEADERS_S  # those of the servers
    request_timeout: float = REQUEST_S
    resources: Mapping[str, float] = field(default_factory=dict)
    release: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise ValueError(f"port: expected 1 to 65535, got {self.port}")
        if self.balancers < 1 or self.max_copies < 0 or self.slots < 1:
            raise ValueError("balancers and slots are at least 1, max_copies at least 0")


def counts_in(text: str) -> tuple[int, int]:
    """Read `2` or `2-20`: the least and the most nodes. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", text)
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 0 < least <= most:
        raise ValueError(
            f"nodes: expected a number as in 4, or least and most as in 2-20: {text!r}"
        )
    return least, most


def flag_value(flags: Sequence[str], flag: str) -> str | None:
    """Return the last value of a flag, written as `--flag value` or `--flag=value`."""
    value = None
    for at, word in enumerate(flags):
        if word.startswith(f"{flag}="):
            value = word.partition("=")[2]
        elif word == flag and at + 1 < len(flags):
            value = flags[at + 1]
    return value


def read(kind: type[Arguments], args: Mapping[str, Any]) -> Arguments:
    """Make arguments of what a YAML file has. Raises ValueError."""
    types = get_type_hints(kind)
    needed = [each.name for each in fields(kind) if is_needed(each)]  # type: ignore[arg-type]
    if unknown := [name for name in args if name not in types]:
        hint = did_you_mean(unknown[0], list(types))
        raise ValueError(f"no such argument: {unknown[0]}{hint}; there are {', '.join(types)}")
    if missing := [name for name in needed if name not in args]:
        raise ValueError(f"the argument {missing[0]} is missing")
    return kind(**{name: converted(name, types[name], value) for name, value in args.items()})


def is_needed(each: Any) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def converted(name: str, kind: Any, value: Any) -> Any:
    """Turn a value of YAML, or its text, into that of a field. Raises ValueError."""
    try:
        if kind is str:
            return "" if value is None else str(value)
        if kind in (int, float):
            return kind(value)
        if kind == tuple[str, ...]:
            return tuple(shlex.split(value) if isinstance(value, str) else map(str, value))
        return {str(key): float(number) for key, number in dict(value).items()}
    except (TypeError, ValueError):
        raise ValueError(f"the argument {name}: {value!r} is not of its type") from None


def given(arguments: Any) -> dict[str, Any]:
    """The arguments that are not the default, as a YAML file has them."""
    values = {each.name: getattr(arguments, each.name) for each in fields(arguments)}
    defaults = {each.name: default_of(each) for each in fields(arguments)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value != defaults[name]
    }


def default_of(each: Any) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default
