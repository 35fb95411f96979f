"""The OpenAPI operations of /metrics and the health probes."""

from torch_serving.http.openapi import error_responses
from torch_serving.http.openapi.body_schemas import HEALTH, LOAD, json_of, text_or_image
from torch_serving.http.openapi.operation import SERVER, always, get
from torch_serving.telemetry.prometheus import families

METRICS = get(
    "/metrics",
    "metrics",
    SERVER,
    "Metrics of all workers for Prometheus",
    lambda context: text_or_image("text/plain"),
    description="\n".join(f"- `{name}`: {text}" for name, text in families()),
)

LOAD_NOW = get(
    "/load",
    "load",
    SERVER,
    "How busy all workers are, for whatever scales or balances",
    lambda context: json_of(LOAD),
)

HEALTHCHECK = get(
    "/healthcheck", "healthcheck", SERVER, "Whether the server is alive", always(HEALTH)
)

READY = get(
    "/ready",
    "ready",
    SERVER,
    "Whether the server accepts requests",
    always(HEALTH),
    errors=error_responses.READINESS,
)
