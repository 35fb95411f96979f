"""A process that serves: a runtime, a transport and an access log."""

import socket
import ssl
import sys
from collections.abc import Callable
from typing import NamedTuple

import torch

from torch_serving.config import Config
from torch_serving.http.auth import ApiKeys
from torch_serving.http.error_responses import DebugErrors
from torch_serving.server.interfaces import Transport
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.parent_channel import ParentChannel
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry.access_log import AccessLog
from torch_serving.telemetry.output import lines_of
from torch_serving.telemetry.responses import ResponseRecorder

READINESS = frozenset({"/ready", "/v2/health/ready"})


class WorkerContext(NamedTuple):
    """What a worker has from its parent."""

    runtime: Runtime
    channel: ParentChannel
    shared: SharedState
    api_keys: ApiKeys | None
    tls: ssl.SSLContext | None


def run_transport(
    make_transport: Callable[[ResponseRecorder], Transport],
    listener: socket.socket,
    runtime: Runtime,
    channel: ParentChannel | None = None,
    may_lack_devices: bool = False,
) -> None:
    """Start the runtime, and serve until SIGTERM.

    Raises StartupError for a device that is not there, and for a model that can't be loaded.
    """
    config = runtime.config
    DebugErrors.are_sent = config.debug_errors
    torch.seed()  # forked processes have the same random numbers  # type: ignore[no-untyped-call]
    if channel:
        runtime.examples.attach(channel.find_examples)
    try_load = channel.try_load if channel and config.trial_load else None
    runtime.start(try_load, may_lack_devices)
    responses = ResponseRecorder(runtime.group.statistics, access_log_of(config))
    try:
        make_transport(responses).run([listener])
    finally:
        runtime.close()
        responses.flush()


def access_log_of(config: Config) -> AccessLog | None:
    """Lines have the level `info`, or `warning` where the server or a model is to blame.

    Balancers ask every second whether a server is ready: that it is, is a line at `debug` only.
    """
    if config.log_level == "error":
        return None
    least_status = 500 if config.log_level == "warning" else 0
    unless_200 = frozenset() if config.log_level == "debug" else READINESS
    return AccessLog(lines_of(sys.stdout), config.log_format == "json", least_status, unless_200)
