"""`--check`: looks for all that is wrong before a server starts, and starts none."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from torch_serving.config import Config
from torch_serving.engine.devices import AUTO, device_of, resolve_auto, unusable
from torch_serving.errors import InvalidDevice, ServingError, StartupError
from torch_serving.http.auth import ApiKeys
from torch_serving.models.backends import registry
from torch_serving.models.integrity import expected_digest, open_verified
from torch_serving.models.other_names import other_names
from torch_serving.models.placement import CPU
from torch_serving.models.remote.build import build_repository
from torch_serving.models.remote.urls import shown
from torch_serving.models.repository import ModelRepository
from torch_serving.server.cards import NO_CARDS, Cards, look_in_child
from torch_serving.server.concurrency import divide_cores
from torch_serving.server.listener import bind
from torch_serving.server.tls import load_tls_context
from torch_serving.service.preload_room import lack_of_room
from torch_serving.service.runtime import Runtime

EXIT_BAD_MODELS = 1
EXIT_BAD_SETTINGS = 2


def check(config: Config, report: Callable[[str], None]) -> int:
    """Tell each problem; return the exit code. Models of `--preload` are loaded.

    That they do not fit into the cache, or a card can't be used, is told, too, but is no mistake.
    """
    is_auto = config.device.strip() == AUTO
    cards = look_in_child() if is_auto or "cuda" in config.device else NO_CARDS
    for notice in cards.notices() if is_auto and not cards.are_as_expected() else ():
        report(notice)
    config = dataclasses.replace(config, device=resolve_auto(config.device, lambda: cards.usable))
    settings = list(problems_with_settings(config, cards))
    for problem in settings:
        report(problem)
    if settings:
        return EXIT_BAD_SETTINGS
    runtime = Runtime.build(dataclasses.replace(config, preload=()))
    if problem := lack_of_room(config, runtime.models.repository):
        report(problem)
    models = list(problems_with_models(runtime, config.preload))
    for problem in models:
        report(problem)
    return EXIT_BAD_MODELS if models else 0


def problems_with_settings(config: Config, cards: Cards) -> Iterator[str]:
    """Yield what is wrong with address, device, threads, certificate, keys and names."""
    devices = functools.partial(check_devices, cards)
    for step in (check_address, devices, load_tls_context, check_keys):
        yield from complaints_of(step, config)
    repository = build_repository(config)
    yield from complaints_of(lambda config: repository.prepare(config.preload), config)
    yield from complaints_of(lambda config: other_names(repository, config.names), config)
    for pattern in config.preload:
        if not repository.matching(pattern):
            yield f"--preload {pattern}: no such model below {shown(config.model_root)}"


def complaints_of(step: Callable[[Config], object], config: Config) -> Iterator[str]:
    try:
        step(config)
    except StartupError as error:
        yield str(error)


def check_address(config: Config) -> None:
    """Bind another port of the host: the server may be running on its own."""
    if not config.uds:
        bind(config.host, 0).close()


def check_devices(cards: Cards, config: Config) -> None:
    """Divide the cores, and look for each device.

    None is opened: a server may be using what is left of it.
    """
    divide_cores(config)
    for name in map(str.strip, config.device.split(",")):
        try:
            device = device_of(name)
        except InvalidDevice as error:
            raise StartupError(error.detail) from None
        if device.type == "cuda" and device.index not in cards.usable:
            why = cards.left_out.get(str(device), cards.problem)
            raise StartupError(unusable(name, why).detail)


def check_keys(config: Config) -> None:
    if config.api_key_file:
        ApiKeys(config.api_key_file, config.open_health)


def problems_with_models(runtime: Runtime, patterns: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with each model: its file, the manifest, the files beside it."""
    repository = runtime.models.repository
    preloaded = {name for pattern in patterns for name in repository.matching(pattern)}
    for name in filter(repository.is_here, repository.names()):
        yield from problems_with_model(runtime, name, name in preloaded)


def problems_with_model(runtime: Runtime, name: str, is_preloaded: bool) -> Iterator[str]:
    repository = runtime.models.repository
    try:
        verify(repository, name)
        if is_preloaded:
            runtime.models.preload(name, repository.placement.choose(name, runtime.devices))
    except ServingError as error:
        prefix = "" if error.detail.startswith(f"`{name}`") else f"`{name}`: "
        yield f"{prefix}{error.detail}"


def verify(repository: ModelRepository, name: str) -> None:
    """Read a model's file and those beside it as a load does. Raises ServingError."""
    model = repository.resolve(name, CPU)
    config = repository.read_config(model)
    repository.placement.check(model, config)
    digest = expected_digest(Path(repository.root), model.identifier)
    verify_as = functools.partial(registry.verify, name=name)
    with open_verified(repository.real_path(model), verify_as, digest):
        pass
