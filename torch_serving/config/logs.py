"""Settings: what a server tells of its work."""

from dataclasses import dataclass
from functools import partial

from torch_serving.setting import setting

logs = partial(setting, "logs")


@dataclass(frozen=True)
class LogSettings:
    """What a server tells of its work."""

    log_level: str = logs(
        "--log-level",
        "info",
        ("debug", "info", "warning", "error"),
        "the least that is logged; `info` has a line for each request, `debug` its steps",
    )
    log_format: str = logs("--log-format", "text", ("text", "json"), "`json` is one object a line")
    debug_errors: bool = logs(
        "--debug-errors",
        False,
        "switch",
        "send clients the whole trace of an error in `trace`, with the model's source and paths",
        more="For development.",
    )
    tracing: bool = logs(
        "--tracing",
        False,
        "switch",
        "send spans to OpenTelemetry, as `OTEL_EXPORTER_OTLP_ENDPOINT` and its other variables say",
        more="Needs the extra `otel`.",
    )
