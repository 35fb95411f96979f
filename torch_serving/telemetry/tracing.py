"""Spans of requests for OpenTelemetry; the extra `otel`.

The library's own middleware makes the span of a request, and reads `traceparent`. This module adds
the spans of the steps inside. Destination, sampling and the service's name are read from the
environment variables of OpenTelemetry, as everywhere.
"""

import importlib.util
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch_serving.errors import StartupError
from torch_serving.telemetry._counters import STEPS


class StepTime(NamedTuple):
    """One of STEPS by its number, its start and its end by perf_counter, for so many requests."""

    step: int
    start_s: float
    end_s: float
    requests: int = 1


NEEDED = (
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.instrumentation.asgi",
)


def check_installed() -> None:
    """Raise StartupError if a library is missing."""
    try:
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    except ModuleNotFoundError:
        missing = ["opentelemetry"]
    if missing:
        raise StartupError("--tracing needs the extra `otel`: pip install 'torch-serving[otel]'")


class Tracing:
    """Sends spans from a thread of its own, which `start` starts in the process that serves."""

    def __init__(self) -> None:
        """Raises StartupError if a library is missing."""
        check_installed()
        self._provider: Any = None  # until `start`

    def start(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        service = Resource.create({"service.name": "torch-serving"})
        self._provider = TracerProvider(resource=service.merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("torch_serving")

    def wrapped(self, app: Any) -> Any:
        """An ASGI application that makes a span of each request."""
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

        return OpenTelemetryMiddleware(
            app, tracer_provider=self._provider, exclude_spans=["receive", "send"]
        )

    def record(self, model: str, steps: Sequence[StepTime]) -> None:
        """Add steps that are over to the span of the request that this task serves."""
        offset_ns = time.time_ns() - time.perf_counter_ns()
        for step, start_s, end_s, _ in steps:
            span = self._tracer.start_span(
                STEPS[step],
                start_time=offset_ns + int(start_s * 1e9),
                attributes={"torch_serving.model": model},
            )
            span.end(end_time=offset_ns + int(end_s * 1e9))

    def close(self) -> None:
        """Send the spans that were not sent yet."""
        if self._provider is not None:
            self._provider.shutdown()
