"""What a node says of itself to people: its models, how often they were there, and what waits."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from torch_serving.ray.table import Endpoint

ASK_S = 5.0
AT_ONCE = 32


class NodeReport(NamedTuple):
    """A node; None stands for what it did not tell."""

    endpoint: Endpoint
    load: dict[str, Any] | None
    models: list[dict[str, Any]] | None

    @property
    def held(self) -> list[str]:
        """The models in its memory, the busiest first."""
        loaded = [each for each in self.models or () if each["loaded"]]
        return [each["identifier"] for each in sorted(loaded, key=lambda each: -each["requests"])]

    @property
    def requests(self) -> int:
        return sum(each["requests"] for each in self.models or ())

    @property
    def hits(self) -> float | None:
        """The share of requests that found their model in memory."""
        found = sum(each["hits"] for each in self.models or ())
        return found / self.requests if self.requests else None


def ask_all(endpoints: tuple[Endpoint, ...], key: str | None) -> list[NodeReport]:
    """Ask all nodes, many at a time."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda endpoint: ask(endpoint, key), endpoints))


def ask(endpoint: Endpoint, key: str | None) -> NodeReport:
    models = get(endpoint, "/models", key)
    return NodeReport(endpoint, get(endpoint, "/load", key), models["models"] if models else None)


def get(endpoint: Endpoint, path: str, key: str | None) -> Any:
    """Return a document, or None if the node does not answer, or not to us."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(
        f"http://{endpoint.host}:{endpoint.port}{path}", headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=ASK_S) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None
