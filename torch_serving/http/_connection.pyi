from typing import Any

from torch_serving.http.forwarded import TrustedProxies
from torch_serving.telemetry.responses import ResponseRecorder

class ConnectionSettings:
    app: Any
    max_bodies_bytes: int
    bodies_bytes: int
    def __init__(
        self,
        app: Any,
        responses: ResponseRecorder,
        max_body_bytes: int,
        header_timeout_s: float,
        body_timeout_s: float,
        body_rate: float,
        keep_alive_s: float,
        fast_path: Any = None,
        max_bodies_bytes: int = ...,
        proxies: TrustedProxies | None = None,
        is_secure: bool = False,
        root_path: str = "",
    ) -> None: ...

class BodyRoom:
    def __init__(self, settings: ConnectionSettings) -> None: ...
    def take(self, size: int) -> None: ...
    def keep(self, size: int) -> None: ...

class HttpProtocol:
    def __init__(
        self, settings: ConnectionSettings, *, server_state: Any, **ignored: Any
    ) -> None: ...
    def connection_made(self, transport: Any) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...
    def get_buffer(self, size_hint: int) -> memoryview: ...
    def buffer_updated(self, size: int) -> None: ...
    def shutdown(self) -> None: ...
