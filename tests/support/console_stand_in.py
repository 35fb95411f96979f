"""A server of the console's page whose figures the test makes."""

import json
import math
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.client import LIMIT_S
from torch_serving.http.console.files import FOLDER, PAGE, TYPES
from torch_serving.http.console.policy import HEADERS
from torch_serving.telemetry._counters import SECONDS, SIZES

NOW = 1_700_000_000
INTERVAL_S = 2
SAMPLES = 300
GIB = 2**30
Document = dict[str, Any]


def numbers(buckets: dict[int, int], loads: int = 1) -> Document:
    """The numbers of a model: how many requests there are in which buckets."""
    seconds = [buckets.get(i, 0) for i in range(len(SECONDS) + 1)]
    codes = {"200": sum(seconds)}
    return {"codes": codes, "seconds": seconds, "sum_s": 1.0, "loads": loads, "cold_starts": 1}


def model(identifier: str, state: str = "available", **others: Any) -> Document:
    """An entry of GET /models."""
    place = {"device": "cpu", "version": "1", "weights_bytes": 1000, "runs": "", "workers": 2}
    entry = {"identifier": identifier, "state": state, "kind": "TorchScript", "bytes": 20_000_000}
    loaded = [place] if state == "loaded" else []
    return {
        **entry,
        "version": "1",
        "loaded": loaded,
        "loads": 0,
        "requests": 0,
        "hits": 0,
    } | others


def samples() -> list[Document]:
    """Ten minutes of a day at work."""
    codes, errors = {"200": 0, "400": 0, "503": 0}, {"invalid_input": 0, "overloaded": 0}
    seconds, batches = [0] * (len(SECONDS) + 1), [0] * (len(SIZES) + 1)
    made: list[Document] = []
    batched = rejected = 0
    cpu_s = 0.0
    for i in range(SAMPLES):
        n = round(400 + 250 * math.sin(i / 40) + 60 * math.sin(1.7 * i) + 40 * math.sin(0.6 * i))
        burst = 30 if 180 < i < 195 else 0
        codes["200"] += n
        codes["400"] += i % 9 == 0
        errors["invalid_input"] += i % 9 == 0
        codes["503"] += burst
        errors["overloaded"] += burst
        rejected += burst
        cpu_s += INTERVAL_S * n / 110
        for bucket, share in ((5, 0.1), (6, 0.55), (7, 0.25), (8, 0.08), (9 + (burst > 0), 0.02)):
            seconds[bucket] += round(share * n)
        for size, share in ((0, 0.3), (1, 0.3), (2, 0.1)):
            batches[size] += round(share * n / 2)
            batched += round(share * n / 2) * 2**size
        made.append(
            {
                "t": NOW - INTERVAL_S * (SAMPLES - 1 - i),
                "codes": dict(codes),
                "errors": dict(errors),
                "seconds": list(seconds),
                "sum_s": 0.0,
                "queue": burst + max(0, round(5 * math.sin(i / 40) + 2 * math.sin(1.7 * i))),
                "busy": min(8, n // 90 + (burst > 0) * 3),
                "threads": 8,
                "batches": list(batches),
                "batched": batched,
                "resident_bytes": round(2.1 * GIB + 2e6 * i + (3e8 if i > 120 else 0)),
                "device_bytes": {"cuda:0": round(9 * GIB + (2.5 * GIB if i > 120 else 0))},
                "cpu_s": cpu_s,
                "rejected": rejected,
            }
        )
    return made


def workers() -> list[Document]:
    each = {"threads": 4, "models": 2, "cache_bytes": 8e8, "resident_bytes": 1.3 * GIB, "cpu_s": 9}
    return [
        {"worker": str(i), "pid": 4310 + i, "busy": i + 1, "queue": i, **each} for i in range(2)
    ]


def devices() -> list[Document]:
    unknown = {"total_bytes": None, "free_bytes": None, "utilization": None}
    cpu = {"device": "cpu", "up": True, "weights_bytes": 8e8, **unknown}
    card = {"device": "cuda:0", "up": True, "weights_bytes": 5 * GIB, "total_bytes": 80 * GIB}
    failed = {"device": "cuda:1", "up": False, "weights_bytes": 0, **unknown}
    return [cpu, {**card, "free_bytes": 68 * GIB, "utilization": 0.37}, failed]


class StandIn(ThreadingHTTPServer):
    """What it tells can be changed while it runs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.models: list[Document] = []
        self.numbers: dict[str, Document] = {}
        self.samples = samples()
        self.streams: list[queue.Queue[Document | None]] = []
        self.followed = threading.Condition()  # guards the figures and the streams
        self.is_silent = False

    def start_document(self) -> Document:
        figures = {"workers": workers(), "devices": devices(), "models": self.numbers}
        bounds = {"bounds_s": SECONDS, "sizes": SIZES, "interval_s": INTERVAL_S}
        return {"version": "1", "started": NOW - 9e5, "history": self.samples, **bounds, **figures}

    def push(self, models: dict[str, Document], **changed: Any) -> None:
        """Send the next sample to all pages, with the numbers of the models that changed.

        It waits for the first page to follow, which would else have the numbers from the start.
        """
        with self.followed:
            assert self.followed.wait_for(lambda: self.streams, LIMIT_S)
            sample = {**self.samples[-1], "t": self.samples[-1]["t"] + INTERVAL_S, **changed}
            self.samples = [*self.samples[1:], sample]
            self.numbers |= models
            event = {"sample": sample, "workers": workers(), "devices": devices(), "models": models}
            for each in self.streams:
                each.put(event)

    def cut(self) -> None:
        """End the streams, as a server does that stops."""
        with self.followed:
            for each in self.streams:
                each.put(None)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        file = FOLDER / (PAGE if path == "/" else path.removeprefix("/console/"))
        if path == "/console/stats":
            self.stream()
        elif path == "/models":
            self.respond(json.dumps({"models": self.server.models, "devices": []}).encode())
        elif file.is_file():
            self.respond(file.read_bytes(), TYPES[file.suffix])
        else:
            self.send_error(404)

    def respond(self, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(200)
        headers = {**HEADERS, "Content-Type": content_type, "Content-Length": str(len(body))}
        for each in headers.items():
            self.send_header(*each)
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        events: queue.Queue[Document | None] = queue.Queue()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with self.server.followed:
            start = self.server.start_document()
            self.server.streams.append(events)
            self.server.followed.notify_all()
        with suppress(OSError):
            self.send_event("start", start)
            while (event := self.next_event(events)) is not None:
                self.send_event("sample", event)
        with self.server.followed:
            self.server.streams.remove(events)
        self.close_connection = True

    def next_event(self, events: "queue.Queue[Document | None]") -> Document | None:
        """Wait for an event of the test; a comment tells meanwhile that the server is alive."""
        while True:
            with suppress(queue.Empty):
                return events.get(timeout=INTERVAL_S)
            if not self.server.is_silent:
                self.wfile.write(b":\n\n")

    def send_event(self, name: str, document: Document) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(document)}\n\n".encode())


@contextmanager
def stand_in() -> Iterator[StandIn]:
    with StandIn() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.cut()
        server.shutdown()
