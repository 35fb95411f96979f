"""Common requests, without the application: what that costs is a third of a small model's request.

Common is one for inference that came in one piece, to a model that is loaded. All others are left
to the application, and so is whatever goes wrong before the model's turn: it finds the same again,
and tells it. The answers are the same (tests/http/test_fast_path.py).
"""

import functools

import falcon.uri

from torch_serving.codecs.invocation import invocation_of
from torch_serving.codecs.oip.invocation import OipInvocation
from torch_serving.codecs.oip.request import json_length
from torch_serving.engine.devices import asked_device
from torch_serving.engine.engine import Engine
from torch_serving.engine.interfaces import Completion, Invocation
from torch_serving.engine.steps import Job
from torch_serving.http.auth import ApiKeys
from torch_serving.http.negotiation import form_of_answer, form_of_body
from torch_serving.http.oip.routes import route_of
from torch_serving.http.request_body import coding_for
from torch_serving.http.serve.parameters import Parameters, parameters_of
from torch_serving.service.inference import Inference

MAX_QUERIES = 1024  # that are remembered: clients send few different ones
MAX_QUERY = 1024  # bytes of one
V2_MODELS = "/v2/models/"
# What only the application knows to answer.
UNCOMMON = frozenset((b"content-encoding", b"origin", b"x-request-timeout-ms"))
Headers = dict[bytes, bytes]


class FastPath:
    """Begins with requests; for the thread of one event loop."""

    def __init__(self, inference: Inference, engine: Engine, api_keys: ApiKeys | None) -> None:
        self._inference = inference
        self._engine = engine
        self._api_keys = api_keys

    def begin(
        self,
        path: str,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytearray,
        completion: Completion,
    ) -> Invocation | None:
        """Begin with what was posted to a path; `completion` gets the response.

        Returns the invocation, or None for a request that is left to the application. The names of
        headers are in lower case.
        """
        named = dict(headers)
        if len(named) < len(headers) or not UNCOMMON.isdisjoint(named) or not body:
            return None
        if len(query) > MAX_QUERY:
            return None
        try:
            invocation = self._invocation_of(path, query, named)
        except Exception:  # whatever it is, the application tells it
            return None
        if invocation is not None:
            job = Job(invocation, body)
            job.completion = completion
            self._engine.enqueue(job)
        return invocation

    def _invocation_of(self, path: str, query: bytes, headers: Headers) -> Invocation | None:
        if self._api_keys:
            authorization, key = text_of(headers, b"authorization"), text_of(headers, b"x-api-key")
            self._api_keys.check(path, authorization, key)
        if path == "/serve":
            return self._serve_invocation(query, headers)
        if path.startswith(V2_MODELS):
            return self._oip_invocation(path[len(V2_MODELS) :], headers)
        return None

    def _serve_invocation(self, query: bytes, headers: Headers) -> Invocation | None:
        read = form_of_body(text_of(headers, b"content-type"))
        write = form_of_answer(text_of(headers, b"accept"))
        identifier, device, name, invalidation = parameters_in(query)
        asked = asked_device(device)
        method = self._inference.loaded_method(identifier, name, asked, invalidation)
        return None if method is None else invocation_of(method, read, write)

    def _oip_invocation(self, path: str, headers: Headers) -> Invocation | None:
        model, action = route_of(path)
        if action != "infer" or coding_for(text_of(headers, b"accept-encoding")):
            return None
        json_bytes = json_length(text_of(headers, b"inference-header-content-length"))
        method = self._inference.loaded_method(model)
        return None if method is None else OipInvocation(method, model, json_bytes)


def text_of(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


@functools.lru_cache(MAX_QUERIES)
def parameters_in(query: bytes) -> Parameters:
    """The parameters of a query, as the application reads it."""
    return parameters_of(falcon.uri.parse_query_string(query.decode(), keep_blank=True, csv=False))
