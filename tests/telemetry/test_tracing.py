"""`--tracing`: spans of requests and their steps, sent to a collector that this test is."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.client import Client, tensor
from tests.support.process import Process, wait_until
from torch_serving import Config, Runtime

X = [tensor([1], [1.0])]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    def __init__(self) -> None:
        self.spans: list = []
        self.services: set[str] = set()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = {each.key: each.value.string_value for each in group.resource.attributes}
            self.server.services.add(attributes["service.name"])
            for scope in group.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_spans(model_root: Path, start: Callable[..., Process], collector: Collector):
    process = start(
        model_root,
        *("--port", "0", "--tracing"),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_address[1]}",
        OTEL_EXPORTER_OTLP_COMPRESSION="none",
        OTEL_SERVICE_NAME="my models",
    )
    with Client(process.url) as client:
        traceparent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        assert client.post("echo.pt", X, traceparent).result == X[0]
        assert client.post("raising.pt", [X[0], {"type": "scalar", "value": 1}]).status >= 400
    process.signal()  # what was not sent yet is sent at the end
    assert process.exit_code() == 0
    wait_until(lambda: len(collector.spans) >= 6)
    assert collector.services == {"my models"}
    ours = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    (request,) = [span for span in ours if span.parent_span_id.hex() == PARENT]
    steps = {span.name: span for span in ours if span is not request}
    assert set(steps) == {"queue", "decode", "forward", "encode"}
    for step in steps.values():
        assert step.parent_span_id == request.span_id
        assert request.start_time_unix_nano <= step.end_time_unix_nano
        assert step.start_time_unix_nano <= step.end_time_unix_nano <= request.end_time_unix_nano
        assert step.attributes[0].value.string_value == "echo.pt"
    ends = [steps[name].end_time_unix_nano for name in ("queue", "decode", "forward", "encode")]
    assert ends == sorted(ends)
    assert "ERROR" not in process.stderr  # what the model raised is told at `info`


def test_a_runtime_that_was_never_started_closes(tmp_path: Path):
    Runtime.build(Config(tmp_path, tracing=True)).close()  # as the parent does at each reload


def test_nothing_of_it_is_imported_without_the_flag(tmp_path: Path, start: Callable[..., Process]):
    hidden = tmp_path / "opentelemetry.py"
    hidden.write_text("raise ImportError('hidden by a test')")
    process = start(tmp_path, "--port", "0", PYTHONPATH=str(tmp_path))
    with Client(process.url) as client:
        assert client.get("/healthcheck").status == 200


def test_the_extra_is_missing(tmp_path: Path, start: Callable[..., Process]):
    (tmp_path / "opentelemetry.py").write_text("")  # no package: it has no modules
    process = start(tmp_path, "--port", "0", "--tracing", PYTHONPATH=str(tmp_path))
    assert process.exit_code() == 2
    assert "--tracing needs the extra `otel`" in process.stderr
