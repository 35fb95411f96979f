"""What a server prints once it serves: its address, what it serves, and what to do next."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from torch_serving import __version__
from torch_serving.config import Config
from torch_serving.config.root import is_url
from torch_serving.http.reach import reachable, serves_console
from torch_serving.models.remote.urls import shown
from torch_serving.models.repository import ModelRepository
from torch_serving.server.curl import request_command
from torch_serving.server.first_request import FirstRequest, given_request, search_request

MAX_READ = 50  # models that are looked at
MAX_NAMES = 5  # that are shown
MAX_TRIED = 3  # models that are loaded to find a request
MAX_TRIED_BYTES = 256 << 20  # of a file that is loaded for it


class Announcement:
    """The lines of one server; `url` is where it listens."""

    def __init__(self, config: Config, url: str, repository: ModelRepository) -> None:
        self._config = config
        self._listens_on = url
        self._repository = repository
        self._names = repository.names()
        if config.uds:  # browsers don't reach it
            url = "https://localhost" if config.tls_cert else "http://localhost"
        self._url = reachable(url)
        here = [name for name in self._names[:MAX_READ] if repository.is_here(name)]
        self._loadable = [name for name in here if not repository.problem_with(name)]
        self._broken = [name for name in here if name not in self._loadable]

    def lines(self) -> list[str]:
        """All but the command; the first line is the same for all to parse."""
        config, count = self._config, quantity(len(self._names), "model")
        workers = f"{config.workers} workers with " if config.workers != 1 else ""
        first = (
            f"torch-serving {__version__} on {self._listens_on} ({config.server}): {count} "
            f"in {shown(config.model_root)}, device {config.device}, "
            f"{workers}{quantity(config.threads or 1, 'thread')}"
        )
        models = [f"models: {shown_names(self._names)}"] if self._names else []
        if self._broken:
            models.append(f"can't be loaded: {shown_names(self._broken)}; --check says why")
        return [first, *(models or how_to_make_a_model(config.model_root)), *self._pages()]

    def _pages(self) -> list[str]:
        """The pages for a browser, which reaches no Unix socket."""
        if self._config.uds or self._config.server != "uvicorn":
            return []
        console = [f"console: {self._url}/"] if serves_console(self._config) else []
        return [*console, f"docs: {self._url}/docs"]

    def known_command(self) -> str:
        """A command that works, from a request that is known at once; empty if there is none."""
        if not self._names:
            return self._ask("linear.pt", FirstRequest('{"input": [[1, 2, 3, 4]]}'))
        given = ((name, given_request(self._repository, name)) for name in self._loadable)
        return next((self._ask(name, request) for name, request in given if request), "")

    def searches(self) -> bool:
        """Whether a request is worth to be looked for: somebody reads it, and a file is small."""
        config = self._config
        is_possible = config.server == "uvicorn" and config.log_format == "text"
        return is_possible and any(self._candidates())

    def found_command(self) -> str:
        """Load models until a request is found; a process of its own is the place for that."""
        for name in self._candidates():
            if request := search_request(self._repository, name):
                return self._ask(name, request)
        return self.other_command()

    def other_command(self) -> str:
        """A command that shows what there is."""
        if self._config.server == "meinheld":
            return f"{self._curl()} {self._url}/healthcheck"
        below = f"/{quote(self._loadable[0])}" if self._loadable else ""
        return f"{self._curl()} {shlex.quote(f'{self._url}/models{below}')}"

    def _candidates(self) -> Iterator[str]:
        """The models of which a request is looked for, the smallest first."""
        sizes = {name: self._repository.file_facts(name)["bytes"] or 0 for name in self._loadable}
        smallest = sorted(sizes, key=lambda name: sizes[name])[:MAX_TRIED]
        return (name for name in smallest if 0 < sizes[name] <= MAX_TRIED_BYTES)

    def _ask(self, name: str, request: FirstRequest) -> str:
        path = str(Path(self._repository.root, name))
        return request_command(
            self._url, name, request.body, self._curl(), path, method=request.method
        )

    def _curl(self) -> str:
        """The command with what this server wants: a socket, a key, trust in its certificate."""
        config = self._config
        curl = "curl --insecure" if config.tls_cert else "curl"
        if config.uds:
            curl += f" --unix-socket {shlex.quote(str(config.uds))}"
        return f'{curl} -H "X-Api-Key: $KEY"' if config.api_key_file else curl


def shown_names(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    told = [name if name.isprintable() else repr(name) for name in names[:MAX_NAMES]]
    more = len(names) - len(told)
    return ", ".join(told) + (f" and {more:,} more" if more else "")


def how_to_make_a_model(root: Path | str) -> list[str]:
    if is_url(root):
        return ["no model there yet"]
    save = f'torch.jit.script(torch.nn.Linear(4, 2).eval()).save("{root}/linear.pt")'
    return [f"no model yet; Python makes one: import torch; {save}"]


def quantity(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
