"""API keys: requests carry one of those in a file, or are refused before anything else."""

import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from torch_serving.api_keys import read_keys
from torch_serving.errors import StartupError, Unauthorized

SHORTEST_KEY = 16  # characters; `openssl rand -hex 32` makes 64
OPEN_PATHS = {"/healthcheck", "/ready", "/v2/health/live", "/v2/health/ready"}


class ApiKeys:
    """The keys of one file."""

    def __init__(self, path: Path, open_health: bool = False) -> None:
        """Read the keys. Raises StartupError if there are none, or one is too short to be safe."""
        keys = read_keys(path)
        if any(len(key) < SHORTEST_KEY for key in keys):
            raise StartupError(
                f"--api-key-file {path}: a key has less than {SHORTEST_KEY} characters; "
                "openssl rand -hex 32 makes one"
            )
        self._keys = [key.encode() for key in keys]
        self.open_paths = frozenset(OPEN_PATHS if open_health else ())

    def check(self, path: str, authorization: str | None, api_key: str | None) -> None:
        """Raise Unauthorized unless a header has one of the keys.

        The header is `Authorization: Bearer KEY` or `X-Api-Key: KEY`. Open paths need no key. The
        time of a comparison does not depend on how much of a key is right.
        """
        if path in self.open_paths:
            return
        scheme, _, token = (authorization or "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else api_key or ""
        data = given.encode("utf-8", "surrogatepass")
        if not sum([hmac.compare_digest(data, key) for key in self._keys]):
            raise Unauthorized("send a key as `Authorization: Bearer KEY` or `X-Api-Key: KEY`")


class RequestHeaders(Protocol):
    """What a request of either kind of application has."""

    path: str
    method: str

    def get_header(self, name: str, /) -> str | None: ...


def is_closed(path: str) -> bool:
    """Nothing is open besides the paths of the keys."""
    return False


class RequireKey:
    """Falcon middleware of ASGI and WSGI applications.

    It comes before routing: without a key, nobody learns which paths there are.
    """

    def __init__(
        self,
        api_keys: ApiKeys,
        is_open: Callable[[str], bool] = is_closed,
        open_preflights: bool = False,
    ) -> None:
        """`is_open` says what may be read without a key besides the paths of the keys."""
        self._api_keys = api_keys
        self._is_open = is_open
        self._open_preflights = open_preflights

    def process_request(self, req: RequestHeaders, resp: object) -> None:
        if self._open_preflights and is_preflight(req):
            return  # browsers send no key with them
        if req.method in ("GET", "HEAD") and self._is_open(req.path):
            return
        authorization, api_key = req.get_header("authorization"), req.get_header("x-api-key")
        self._api_keys.check(req.path, authorization, api_key)

    async def process_request_async(self, req: RequestHeaders, resp: object) -> None:
        self.process_request(req, resp)


def is_preflight(req: RequestHeaders) -> bool:
    return req.method == "OPTIONS" and bool(req.get_header("access-control-request-method"))
