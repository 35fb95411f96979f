"""Settings: what requests, loads and stops may take."""

from dataclasses import dataclass
from functools import partial

from torch_serving.setting import setting

limits = partial(setting, "limits")


@dataclass(frozen=True)
class LimitSettings:
    """What requests, loads and stops may take."""

    max_body_bytes: int = limits(
        "--max-body",
        256 << 20,
        "size",
        "the largest body, in bytes or with KiB, MiB or GiB: up to 4GiB",
    )
    body_rate: int = limits(
        "--body-rate",
        1024,
        "size_or_zero",
        "the least of a body that must arrive in a second, over five, and of a response that must "
        "be read, over 75; 0: any",
    )
    header_timeout_s: float = limits(
        "--header-timeout", 10.0, "seconds", "how long a request's headers may take"
    )
    body_timeout_s: float = limits(
        "--body-timeout", 60.0, "seconds", "how long a request's body may take"
    )
    queue: int = limits(
        "--queue",
        256,
        "natural",
        "requests that may wait for an executor thread; more are refused at once",
        more="Their bodies bound the memory: at most (queue + threads) × `--max-body`.",
    )
    queue_timeout_s: float = limits(
        "--queue-timeout", 30.0, "seconds", "how long a request may wait for an executor thread"
    )
    request_timeout_s: float = limits(
        "--request-timeout",
        300.0,
        "seconds",
        "how long a request may take in all",
        more="A model that still runs as long again costs its worker, which starts again.",
    )
    load_timeout_s: float = limits(
        "--load-timeout",
        300.0,
        "seconds",
        "how long the loading of a model may take; a file that takes longer is refused",
        more="Where it was not tried in a process of its own, or takes as long again after that, "
        "its worker starts again. A preloaded model that takes longer ends the start.",
    )
    quarantine_s: float = limits(
        "--quarantine",
        300.0,
        "seconds_or_zero",
        "how long a model is refused after a process died twice in a minute while it ran, or it "
        "broke a device as often; doubles each time; 0: never",
    )
    drain_delay_s: float = limits(
        "--drain-delay",
        0.0,
        "seconds_or_zero",
        "how long to serve on after SIGTERM, while `/ready` says 503",
    )
    shutdown_timeout_s: float = limits(
        "--shutdown-timeout",
        60.0,
        "seconds",
        "how long accepted requests may take to end after SIGTERM or Ctrl-C",
        more="A second signal ends the server at once.",
    )
