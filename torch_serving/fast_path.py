"""The common request, without the application: what that costs is a third of such a request.

Common is a `POST /serve` that came in one piece, with JSON in and out, for a model that is loaded.
All others are left to the application, and so is whatever goes wrong before the model's turn: it
finds the same again, and tells it. Its answers are the same (tests/test_fast_path.py).
"""

import asyncio
import functools

import falcon.uri

from torch_serving._statistics import Counts
from torch_serving.api_keys import ApiKeys
from torch_serving.devices import device_of
from torch_serving.engine import Engine
from torch_serving.forms import form_of_answer, form_of_body
from torch_serving.inference import Inference
from torch_serving.jobs import Job
from torch_serving.parameters import Parameters, parameters_of

MAX_QUERIES = 1024  # that are remembered: clients send few different ones
# What only the application knows to answer.
UNCOMMON = frozenset((b"content-encoding", b"origin", b"x-request-timeout-ms"))
Headers = list[tuple[bytes, bytes]]


class FastPath:
    """Begins with requests; for the thread of one event loop."""

    def __init__(self, inference: Inference, engine: Engine, api_keys: ApiKeys | None) -> None:
        self._inference = inference
        self._engine = engine
        self._api_keys = api_keys

    def begin(
        self, query: bytes, headers: Headers, body: bytearray, future: asyncio.Future[bytes]
    ) -> Counts | None:
        """Begin with a request whose answer `future` gets; return where it is counted, or None if
        it is left to the application. The names of the headers are in lower case."""
        named = dict(headers)
        if len(named) < len(headers) or not UNCOMMON.isdisjoint(named) or not body:
            return None
        try:
            return self._begin(query, named, body, future)
        except Exception:  # whatever it is, the application tells it
            return None

    def _begin(
        self,
        query: bytes,
        headers: dict[bytes, bytes],
        body: bytearray,
        future: asyncio.Future[bytes],
    ) -> Counts | None:
        if self._api_keys:
            self._api_keys.check(
                "/serve", text_of(headers, b"authorization"), text_of(headers, b"x-api-key")
            )
        if form_of_body(text_of(headers, b"content-type")) is not None:
            return None
        if form_of_answer(text_of(headers, b"accept")) is not None:
            return None
        identifier, device, name, invalidation = parameters_in(query)
        asked = None if device is None else device_of(device)
        method = self._inference.loaded_method(identifier, name, asked, invalidation)
        if method is None:
            return None
        job = Job(method, body)
        job.future = future
        self._engine.begin(job)
        return method.counts


def text_of(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


@functools.lru_cache(MAX_QUERIES)
def parameters_in(query: bytes) -> Parameters:
    """The parameters of a query, as the application reads it."""
    return parameters_of(falcon.uri.parse_query_string(query.decode(), keep_blank=True, csv=False))
