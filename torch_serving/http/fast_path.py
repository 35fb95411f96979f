"""Common requests, without the application: what that costs is a third of a small model's request.

Common is one for inference that came in one piece, to a model that is loaded. All others are left
to the application, and so is whatever goes wrong before the model's turn: the application finds the
same again, and responds with the error. The responses are the same (tests/http/test_fast_path.py).
"""

from torch_serving.engine.interfaces import Completion, Invocation
from torch_serving.http.auth import ApiKeys
from torch_serving.http.content_coding import response_coding
from torch_serving.http.oip import endpoint as oip
from torch_serving.http.serve import endpoint as serve
from torch_serving.service.interfaces import InferenceRequest, InferenceService

OIP_MODELS = "/v2/models/"
# Headers that only the application understands.
UNCOMMON = frozenset((b"content-encoding", b"origin", b"x-request-timeout-ms", b"x-server-timing"))
Headers = dict[bytes, bytes]


class FastPath:
    """Starts requests; for the thread of one event loop."""

    def __init__(self, inference: InferenceService, api_keys: ApiKeys | None) -> None:
        self._resolve = inference.resolve
        self._start = inference.start
        self._api_keys = api_keys

    def begin(
        self,
        path: str,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytearray,
        completion: Completion,
    ) -> Invocation | None:
        """Start what was posted to a path; `completion` gets the response.

        Returns the invocation, or None for a request that is left to the application. The names of
        headers are in lower case.
        """
        named = dict(headers)
        if len(named) < len(headers) or not UNCOMMON.isdisjoint(named) or not body:
            return None
        if len(query) > serve.MAX_HEAD_BYTES:
            return None
        try:
            if self._api_keys:
                key = text_of(named, b"authorization"), text_of(named, b"x-api-key")
                self._api_keys.check(path, *key)
            request = request_of(path, query, named)
            invocation = None if request is None else self._resolve(request)
        except Exception:  # whatever it is, the application responds with it
            return None
        if invocation is not None:
            self._start(invocation, body, completion)
        return invocation


def request_of(path: str, query: bytes, headers: Headers) -> InferenceRequest | None:
    if path == "/serve":
        return serve.inference_request(query, headers.get(b"content-type"), headers.get(b"accept"))
    if not path.startswith(OIP_MODELS) or query:
        return None
    if not response_coding(text_of(headers, b"accept-encoding")):
        json_bytes = text_of(headers, b"inference-header-content-length")
        return oip.inference_request(path[len(OIP_MODELS) :], json_bytes)
    return None


def text_of(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
