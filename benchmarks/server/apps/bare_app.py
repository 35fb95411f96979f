"""A minimal server of binary tensors: it receives a body and sends as many bytes.

`python -m benchmarks.server.apps.bare_app PORT BYTES [ours]`: on stock uvicorn, or on this server's
protocol and with its allocator.
"""

import functools
import sys
from typing import Any

import uvicorn

from torch_serving.http._connection import ConnectionSettings, HttpProtocol
from torch_serving.server.tuning import keep_freed_memory
from torch_serving.telemetry._counters import Statistics
from torch_serving.telemetry.responses import ResponseRecorder

MAX_BODY_BYTES = 1 << 28


def application(content: bytes) -> Any:
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", str(len(content)).encode()),
    ]

    async def receive_and_send(scope: Any, receive: Any, send: Any) -> None:
        more, received = True, 0
        while more:
            event = await receive()
            received += len(event["body"])
            more = event.get("more_body", False)
        assert received
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return receive_and_send


def main() -> None:
    port, size, *ours = sys.argv[1:]
    app = application(bytes(int(size)))
    http: Any = "httptools"
    if ours:
        keep_freed_memory()
        responses = ResponseRecorder(Statistics())
        settings = ConnectionSettings(app, responses, MAX_BODY_BYTES, 10.0, 60.0, 0.0, 75.0)
        http = functools.partial(HttpProtocol, settings)
    uvicorn.run(
        app,
        port=int(port),
        loop="uvloop",
        http=http,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
    )


if __name__ == "__main__":
    main()
