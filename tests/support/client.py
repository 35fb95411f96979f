"""A client that also checks what must hold for every response, and raw connections."""

import http.client
import json
import socket
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

LIMIT_S = 180  # whatever takes longer has failed, on a machine that does much else, too
LAST_REQUEST_S = 0.5  # a server that stops waits so long for a request that is on its way

Body = bytes | Iterable[bytes] | list | dict | None

# What no response may contain.
SECRETS = (
    str(Path(__file__).resolve().parents[2]),
    sys.prefix,
    "site-packages",
    "Traceback (most recent call last)",
)


class Response(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    document: Any  # None: no body

    @property
    def result(self) -> Any:
        head = {"code": 200, "message": "OK", "description": "Success"}
        assert {**self.document, "result": None} == {**head, "result": None}
        assert self.status == 200
        return self.document["result"]


def response_of(status: int, headers: http.client.HTTPMessage, body: bytes) -> Response:
    """Check that a response is strict JSON with the status as its code, and contains no secret."""
    assert headers["content-type"].partition(";")[0] == "application/json", body
    for secret in SECRETS:
        assert secret.encode() not in body
    document = json.loads(body, parse_constant=refuse_constant) if body else None
    if document is not None:
        assert document["code"] == status
        check_error(document)
    return Response(status, headers, document)


def check_error(document: dict[str, Any]) -> None:
    if document["code"] == 200:
        return
    assert document["message"] == ("Client Error" if document["code"] < 500 else "Server Error")
    assert set(document) <= {"code", "message", "description", "detail"}


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


class UnixConnection(http.client.HTTPConnection):
    """A connection over the Unix socket with a path."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(self._path)


def connection_to(url: str) -> http.client.HTTPConnection:
    """A connection to an address as the start-up line has it: http:// or unix:."""
    address = urlsplit(url)
    if address.scheme == "unix":
        return UnixConnection(address.path)
    return http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT_S)


class Client:
    """One kept connection to one server. Not for several threads."""

    def __init__(self, url: str, secrets: Iterable[str] = ()) -> None:
        self.url = url
        self._secrets = tuple(secrets)
        self._connection = connection_to(url)
        self._began_s = self._usable_since_s = self._sent_s = 0.0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def request(
        self, method: str, target: str, body: Body = None, headers: dict[str, str] | None = None
    ) -> Response:
        """Send a list or dict as JSON, bytes as they are, and anything else in chunks."""
        if isinstance(body, list | dict):
            body = json.dumps(body).encode()
        self._send(method, target, body, headers or {})
        with self._connection.getresponse() as response:
            content = response.read()
        for secret in self._secrets:
            assert secret.encode() not in content
        return response_of(response.status, response.headers, content)

    def _send(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None,
        headers: dict[str, str],
    ) -> None:
        before_s, self._began_s = self._began_s, time.monotonic()
        self._usable_since_s = before_s if self._connection.sock else self._began_s
        try:
            self._connection.request(method, target, body, headers)
        finally:
            self._sent_s = time.monotonic()

    @property
    def was_late(self) -> bool:
        """Whether the last request may have been sent when a server that stops waited no longer.

        It waits from some time after the connection was asked for, or after the request before was:
        when the response to that one was sent, no client knows.
        """
        return self._sent_s - self._usable_since_s >= LAST_REQUEST_S

    def post(
        self,
        identifier: str,
        body: Body,
        headers: dict[str, str] | None = None,
        **parameters: str | float,
    ) -> Response:
        query = urlencode({"servable_identifier": identifier, **parameters})
        return self.request("POST", f"/serve?{query}", body, headers)

    def get(self, target: str) -> Response:
        return self.request("GET", target)

    def check(self) -> None:
        """See that the server still gives a known response."""
        x = tensor([3], [1.5, -2.0, 0.25])
        assert self.post("echo.pt", [x]).result == x


def warm_up(url: str) -> None:
    """Let TorchScript profile slow.pt with a few turns; with many it would take long."""
    with Client(url) as client:
        for _ in range(3):
            client.post("slow.pt", [tensor([1], [1]), scalar(1, "int")])


class RawConnection:
    """A socket, and the responses that come from it."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._address = (address.hostname, address.port)
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(self._address, LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self.socket.makefile("rb")

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send; a server that stops reading is no failure here."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def half_close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def line(self) -> bytes:
        try:
            return self._reader.readline()
        except ConnectionResetError:
            return b""

    def read(self, length: int) -> bytes:
        return self._reader.read(length)

    def response(self) -> Response | None:
        """The next response; None where the server closed the connection instead."""
        line = self.line()
        if not line:
            return None
        status = int(line.split()[1])
        headers = http.client.parse_headers(self._reader)
        length = int(
            headers.get("content-length", -1)
        )  # without one, the body ends with the stream
        return response_of(status, headers, self._reader.read(length))

    def responses(self) -> list[Response]:
        """All responses until the server closes the connection."""
        return list(iter(self.response, None))


def tensor(shape: list[int], value: list, data_type: str = "float32") -> dict[str, Any]:
    return {"type": "tensor", "shape": shape, "value": value, "data_type": data_type}


def scalar(value: float, data_type: str) -> dict[str, Any]:
    return {"type": "scalar", "data_type": data_type, "value": value}


def string(value: str) -> dict[str, Any]:
    return {"type": "string", "value": value}


def raw_request(body: bytes = b"", *headers: str, target: str = "", method: str = "POST") -> bytes:
    """A request as bytes; no header is added but Host."""
    target = target or "/serve?servable_identifier=echo.pt"
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def with_length(body: bytes, target: str = "") -> bytes:
    return raw_request(body, f"Content-Length: {len(body)}", target=target)


def chunked(*chunks: bytes, target: str = "") -> bytes:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    return raw_request(coded, "Transfer-Encoding: chunked", target=target)


def in_a_thread(function: Callable[..., Any], *arguments: object) -> Any:
    """Call in a thread of its own: one that runs models stays in inference mode."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result(LIMIT_S)


def in_threads(count: int, function: Callable[[int], Any]) -> list[Any]:
    """Call `function` with 0, 1, … in as many threads; raises what one of them raised."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, range(count)))
