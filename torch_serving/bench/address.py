"""Where a server is, and short requests to it that are not measured."""

import http.client
import json
import socket
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from torch_serving.errors import StartupError

PORTS = {"http": 80, "https": 443}


class Response(NamedTuple):
    status: int
    body: bytes

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one if it is something else."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


@dataclass(frozen=True)
class Address:
    """A server: scheme, host and port, and the path below which a proxy serves it."""

    url: str
    uds: Path | None = None  # the socket to connect to, in place of host and port
    insecure: bool = False  # any certificate will do
    key: str = ""

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def host(self) -> str:
        return self.parts.hostname or "localhost"

    @property
    def port(self) -> int:
        return self.parts.port or PORTS[self.parts.scheme]

    @property
    def is_tls(self) -> bool:
        return self.parts.scheme == "https"

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        found = {"Host": self.parts.netloc.rpartition("@")[2]}
        return {**found, "Authorization": f"Bearer {self.key}"} if self.key else found

    def path(self, target: str) -> str:
        """A path of the server, below the path of its proxy."""
        return self.parts.path.rstrip("/") + target

    def with_prefix(self, path: str) -> "Address":
        """The same server below another path."""
        return replace(self, url=self.parts._replace(path=path, query="", fragment="").geturl())

    def at_port(self, port: int) -> "Address":
        """The same server at another port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return replace(self, url=self.parts._replace(netloc=f"{host}:{port}").geturl())

    def tls(self) -> ssl.SSLContext | None:
        if not self.is_tls:
            return None
        context = ssl.create_default_context()
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def get(self, target: str, timeout_s: float = 60.0) -> Response:
        return self.ask("GET", self.path(target), b"", {}, timeout_s)

    def ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str], timeout_s: float = 60.0
    ) -> Response:
        """Send one request. Raises StartupError if there is no answer."""
        connection = self._connection(timeout_s)
        try:
            connection.request(method, path, body or None, {**self.headers, **headers})
            response = connection.getresponse()
            return Response(response.status, response.read())
        except ssl.SSLCertVerificationError as error:
            raise StartupError(
                f"{self.name}: its certificate is not trusted ({error.verify_message}); "
                "--insecure takes any"
            ) from None
        except (OSError, http.client.HTTPException, OverflowError) as error:  # of a length
            raise StartupError(unreachable(self.name, error)) from None
        finally:
            connection.close()

    @property
    def name(self) -> str:
        return f"unix:{self.uds}" if self.uds else self.url

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        context = self.tls()
        if self.uds:
            return UnixConnection(self.host, self.uds, context, timeout_s)
        if context:
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=timeout_s, context=context
            )
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, with TLS or without."""

    def __init__(
        self, host: str, path: Path, context: ssl.SSLContext | None, timeout_s: float
    ) -> None:
        super().__init__(host, timeout=timeout_s)
        self._path = path
        self._context = context

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
        if self._context:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def unreachable(name: str, error: Exception) -> str:
    """Say that a server does not answer, and why."""
    reason = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return f"{name} does not answer: {reason}; is a server running there?"
