"""The steps of each request in the log, at `debug`."""

import logging
from collections.abc import Sequence
from contextvars import ContextVar

from torch_serving.telemetry._counters import STEPS
from torch_serving.telemetry.tracing import StepTime

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")

logger = logging.getLogger(__name__)


def logs_steps() -> bool:
    return logger.isEnabledFor(logging.DEBUG)


def log_steps(model: str, steps: Sequence[StepTime]) -> None:
    """Log the durations of steps of the request that this task serves."""
    text = ", ".join(f"{STEPS[step]} {(end - start) * 1e3:.2f}ms" for step, start, end, _ in steps)
    logger.debug("request %s: %s: %s", REQUEST_ID.get(), model, text)
