"""A repository of models whose files come from a remote root when they are asked for."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from torch_serving.errors import InvalidServable, NotReady, StartupError
from torch_serving.model_config import ModelConfig
from torch_serving.models.file_names import SUFFIXES
from torch_serving.models.files import FileStat
from torch_serving.models.identifiers import (
    ModelPath,
    NoSuchModel,
    no_such_model,
    normalize,
    stat_file,
)
from torch_serving.models.load_queue import REPLACING_S
from torch_serving.models.remote.names import is_model
from torch_serving.models.remote.root import RemoteRoot
from torch_serving.models.remote.source import Missing, RemoteError
from torch_serving.models.remote.start import prepare
from torch_serving.models.repository import ModelRepository


class FetchFailed(NotReady):
    """A model's file could not be fetched."""

    retry_after_s = 5


class RemoteRepository(ModelRepository):
    """What is here is as below any root; what is not here is known by its name and size."""

    is_remote = True

    def __init__(
        self,
        remote: RemoteRoot,
        defaults: Callable[[str], ModelConfig] = lambda _: ModelConfig(),
        is_first_report: Callable[[str], bool] = lambda _: True,
    ) -> None:
        super().__init__(remote.copies.files, defaults, is_first_report)
        self.remote = remote

    def prepare(self, patterns: tuple[str, ...]) -> None:
        """List the root, and fetch the models that are loaded at the start."""
        prepare(self.remote, patterns)

    def _all_names(self) -> Iterable[str]:
        return filter(is_model, self.remote.index.entries())

    def find_identifier(self, name: str) -> str:
        name = self.other_names.get(name, name)
        if self.is_loaded(name):
            return name
        identifier = normalize(name)
        candidates = [identifier, *(f"{identifier}{suffix}" for suffix in SUFFIXES)]
        candidates = [each for each in candidates if is_model(each)]
        entries = self.remote.index.entries()
        known = next((each for each in candidates if each in entries), None)
        if known is None and candidates and self.remote.index.find(candidates[0]):
            known = candidates[0]
        if known is None:
            entries = self.remote.index.entries()
            known = next((each for each in candidates if each in entries), None)
        if known is None:
            raise no_such_model(identifier)
        return name if known == identifier else known

    def check_exists(self, identifier: str) -> str:
        known = normalize(identifier)
        if known in self.remote.index.entries() and is_model(known):
            return known
        return super().check_exists(identifier)

    def stat(self, model: ModelPath) -> FileStat:
        """A model that is loaded and listed needs its copy no more."""
        try:
            return stat_file(model)
        except NoSuchModel:
            loaded = {each.identifier: each.file for each in self.loaded()}
            file = loaded.get(model.identifier)
            if file is None or model.identifier not in self.remote.index.entries():
                raise
            return file

    def is_here(self, identifier: str) -> bool:
        return self.remote.copies.version(normalize(identifier)) is not None

    def bring(self, identifier: str) -> "Future[None] | None":
        name = normalize(identifier)
        fetching = self.remote.bring(name)
        if fetching is None:
            return None
        for_client = translated(name, fetching)
        if self.remote.is_here(name):
            end_after(for_client, REPLACING_S)
        return for_client

    def note_loaded(self, identifiers: Iterable[str]) -> None:
        self.remote.note_loaded(identifiers)

    def file_facts(self, identifier: str) -> dict[str, Any]:
        facts = super().file_facts(identifier)
        if facts["bytes"] is None:
            with suppress(InvalidServable, KeyError):
                facts["bytes"] = self.remote.index.entries()[normalize(identifier)].size
        return facts

    def problem_with(self, identifier: str) -> str:
        return super().problem_with(identifier) if self.is_here(identifier) else ""

    def under_way(self) -> dict[str, tuple[int, int]]:
        return self.remote.copies.under_way()


def end_after(for_client: "Future[None]", seconds: float) -> None:
    """Have an older copy serve, if the newer one does not come soon."""

    def end() -> None:
        with suppress(InvalidStateError):
            for_client.set_result(None)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    for_client.add_done_callback(lambda _: timer.cancel())


def translated(name: str, fetching: "Future[None]") -> "Future[None]":
    """A future that raises what clients are told."""
    for_client: Future[None] = Future()
    for_client.set_running_or_notify_cancel()

    def end(fetched: "Future[None]") -> None:
        with suppress(InvalidStateError):  # an older copy serves already
            tell(fetched)

    def tell(fetched: "Future[None]") -> None:
        error = None if fetched.cancelled() else fetched.exception()
        if error is None:
            for_client.set_result(None)
        elif isinstance(error, Missing):
            for_client.set_exception(no_such_model(name))
        elif isinstance(error, (RemoteError, StartupError)):
            text = error.message if isinstance(error, RemoteError) else str(error)
            for_client.set_exception(FetchFailed(f"`{name}` can't be fetched: {text}"))
        else:
            for_client.set_exception(error)

    fetching.add_done_callback(end)
    return for_client
