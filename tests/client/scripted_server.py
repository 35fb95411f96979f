"""A server whose responses, and whose failures, are a list."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.support.client import LIMIT_S

DRIP_S = 0.02
Act = Callable[[socket.socket, bytes], bool]  # with a connection and a request: keep it?
OK = {"code": 200, "message": "OK", "description": "Success", "result": {"type": "none"}}


def answer(status: int, document: Any, **headers: str) -> Act:
    """Send a response; a document that is a string, or of bytes, is sent as it is."""
    text = document if isinstance(document, str | bytes) else json.dumps(document)
    body = text.encode() if isinstance(text, str) else text
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *lines, "", ""]

    def act(connection: socket.socket, _: bytes) -> bool:
        connection.sendall("\r\n".join(head).encode() + body)
        return True

    return act


def error(status: int, description: str, detail: str = "", **headers: str) -> Act:
    document = {"code": status, "description": description, "detail": detail}
    return answer(status, document, **headers)


def reset(connection: socket.socket, _: bytes) -> bool:
    """Break the connection without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def silence(connection: socket.socket, _: bytes) -> bool:
    """Wait until the client has had enough."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    return False


def dripping(head: bytes) -> Act:
    """Send a head, or a status without an end, and then a byte now and then."""

    def act(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(head or b"HTTP/1.1 200 ")
        for _ in range(round(LIMIT_S / DRIP_S)):
            connection.sendall(b"x")
            time.sleep(DRIP_S)
        return False

    return act


class ScriptedServer:
    """Does the next act of its script with each request, and remembers their heads and bodies.

    `reads_bodies`: whether a request is read to its end before the act.
    """

    def __init__(self) -> None:
        self.script: list[Act] = []
        self.requests: list[bytes] = []
        self.reads_bodies = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LIMIT_S)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "ScriptedServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(LIMIT_S)

    def header(self, name: str, at: int = -1) -> str:
        """A header of a request; empty if it is not there."""
        head = self.requests[at].partition(b"\r\n\r\n")[0].decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:]]
        return next((value for key, _, value in lines if key.lower() == name.lower()), "")

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(LIMIT_S)
                while (request := self._receive(connection)) and self._act(connection, request):
                    pass

    def _act(self, connection: socket.socket, request: bytes) -> bool:
        self.requests.append(request)
        act = self.script.pop(0) if self.script else answer(200, OK)
        return act(connection, request)

    def _receive(self, connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while self.reads_bodies and len(body) < length:
            piece = connection.recv(1 << 20)
            if not piece:
                return b""
            body += piece
        return head + b"\r\n\r\n" + body
