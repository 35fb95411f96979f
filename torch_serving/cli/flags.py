"""The flags of the server, in the groups in which `--help` shows them."""

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from torch_serving import __version__
from torch_serving.cli.flag_types import (
    batch_size,
    natural,
    origin,
    pattern,
    port,
    positive,
    seconds,
    seconds_or_none,
    size,
    size_or_none,
    workers,
)
from torch_serving.config import Config

DEFAULTS = Config()
TIMEOUTS = {
    "header": "the header of a request",
    "body": "the body of a request",
    "queue": "a lane",
    "request": "a model's answer",
    "shutdown": "accepted requests to end",
}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=36)


def build_parser() -> Parser:
    parser = Parser(
        prog="torch-serving",
        description="Serve the TorchScript models in a folder over HTTP.",
        epilog="Each flag can be set in the environment too: --max-body as TORCH_SERVING_MAX_BODY. "
        "Other commands: torch-serving inspect MODEL, torch-serving run MODEL --data @BODY.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "model_root",
        metavar="MODEL_ROOT",
        nargs="?",
        type=Path,
        default=DEFAULTS.model_root,
        help="the folder with the models",
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"torch-serving {__version__} (torch {version('torch')})",
    )
    add_network_flags(parser.add_argument_group("network"))
    add_trust_flags(parser.add_argument_group("trust"))
    models = parser.add_argument_group("models")
    add_cache_flags(models)
    add_loading_flags(models)
    add_running_flags(models)
    add_execution_flags(parser.add_argument_group("execution"))
    limits = parser.add_argument_group("limits")
    add_limit_flags(limits)
    add_timeout_flags(limits)
    add_log_flags(parser.add_argument_group("logs"))
    return parser


def add_network_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--host", default=DEFAULTS.host, help="the address to listen on")
    group.add_argument(
        "-p", "--port", type=port, default=DEFAULTS.port, help="the port; 0 takes a free one"
    )
    group.add_argument(
        "--server",
        choices=["uvicorn", "meinheld"],
        default=DEFAULTS.server,
        help="the HTTP server; meinheld serves /serve and /healthcheck only",
    )
    group.add_argument(
        "--behind-proxy",
        action="store_true",
        help="let meinheld listen beyond this machine",
    )


def add_trust_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--api-key-file",
        metavar="FILE",
        type=Path,
        default=argparse.SUPPRESS,
        help="keys, one in each line, of which every request must have one",
    )
    group.add_argument(
        "--open-health", action="store_true", help="/healthcheck, /ready and /v2/health need no key"
    )
    group.add_argument(
        "--cors-origin",
        dest="cors_origins",
        metavar="ORIGIN",
        type=origin,
        action="append",
        default=argparse.SUPPRESS,
        help="let scripts of this origin, as in https://example.org, or of all (*) ask; may be "
        "repeated",
    )
    for name in ("cert", "key"):
        group.add_argument(
            f"--tls-{name}",
            metavar="FILE",
            type=Path,
            default=argparse.SUPPRESS,
            help=f"speak HTTPS with the {'certificate' if name == 'cert' else 'key'} in this file",
        )


def add_cache_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "-c",
        "--model-capacity",
        metavar="N",
        type=positive,
        default=DEFAULTS.model_capacity,
        help="models kept in memory",
    )
    group.add_argument(
        "-b",
        "--buffer-size",
        metavar="N",
        type=natural,
        default=DEFAULTS.buffer_size,
        help="models kept beyond the capacity, until there are more of them",
    )
    group.add_argument(
        "--model-memory",
        dest="model_memory_bytes",
        metavar="SIZE",
        type=size,
        default=argparse.SUPPRESS,
        help="memory for the weights of models on each device, besides the capacity "
        "(default: no limit)",
    )


def add_loading_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--watch",
        action="store_true",
        help="look for changed files all the time, and load them before a request meets them",
    )
    group.add_argument(
        "--no-trial-load",
        dest="trial_load",
        action="store_false",
        help="load files without having tried them in a process of their own",
    )
    group.add_argument(
        "--preload",
        metavar="PATTERN",
        type=pattern,
        action="append",
        default=argparse.SUPPRESS,
        help="load the models with these names at the start, as in '*.pt'; may be repeated",
    )


def add_running_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--batch",
        metavar="PATTERN",
        type=pattern,
        action="append",
        default=argparse.SUPPRESS,
        help="models whose first dimension is a batch: requests that wait run as one; may be "
        "repeated, and said in MODEL.toml",
    )
    group.add_argument(
        "--max-batch",
        metavar="N",
        type=batch_size,
        default=DEFAULTS.max_batch,
        help="the most rows of one batch",
    )
    group.add_argument(
        "--device",
        default=DEFAULTS.device,
        help="where models run; of several, as in cuda:0,cuda:1, the one with the fewest requests",
    )
    group.add_argument("--use-gpu", action="store_true", help="the same as --device cuda")


def add_execution_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--workers",
        metavar="N",
        type=workers,
        default=DEFAULTS.workers,
        help="processes, each with its own cache; auto: one per core",
    )
    group.add_argument(
        "-t",
        "--lanes",
        "--threads",
        dest="lanes",
        metavar="N",
        type=positive,
        default=argparse.SUPPRESS,
        help="threads of each process that run models (default: one per core, at most 8)",
    )
    group.add_argument(
        "--intra-op-threads",
        metavar="N",
        type=positive,
        default=argparse.SUPPRESS,
        help="threads for one operator of torch (default: cores divided by lanes and workers)",
    )
    for name, meaning in (("fusion", "fuse operators"), ("profiling", "specialise for shapes")):
        group.add_argument(
            f"--jit-{name}",
            choices=["on", "off"],
            default="on",
            help=f"let TorchScript {meaning}",
        )


def add_limit_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--max-body",
        dest="max_body_bytes",
        metavar="SIZE",
        type=size,
        default="256MiB",
        help="the largest body: bytes, or with KiB, MiB or GiB",
    )
    group.add_argument(
        "--body-rate",
        metavar="SIZE",
        type=size_or_none,
        default=DEFAULTS.body_rate,
        help="the least of a body that must arrive in a second, over five; 0: any",
    )
    group.add_argument(
        "--queue",
        metavar="N",
        type=natural,
        default=DEFAULTS.queue,
        help="requests that may wait for a lane; more are refused at once",
    )
    group.add_argument(
        "--quarantine",
        dest="quarantine_s",
        metavar="SECONDS",
        type=natural,
        default=300,
        help="how long a model is refused after a process died twice in a minute while it ran; "
        "doubles each time; 0: never",
    )
    group.add_argument(
        "--drain-delay",
        dest="drain_delay_s",
        metavar="SECONDS",
        type=seconds_or_none,
        default=DEFAULTS.drain_delay_s,
        help="how long to serve on after a signal, while /ready says 503",
    )


def add_timeout_flags(group: "argparse._ArgumentGroup") -> None:
    for part, meaning in TIMEOUTS.items():
        group.add_argument(
            f"--{part}-timeout",
            dest=f"{part}_timeout_s",
            metavar="SECONDS",
            type=seconds,
            default=getattr(DEFAULTS, f"{part}_timeout_s"),
            help=f"how long to wait for {meaning}",
        )


def add_log_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default=DEFAULTS.log_level,
        help="info has a line for each request",
    )
    group.add_argument(
        "--log-format",
        choices=["text", "json"],
        default=DEFAULTS.log_format,
        help="json is one object a line",
    )
    group.add_argument(
        "--tracing",
        action="store_true",
        help="send spans to OpenTelemetry, as OTEL_EXPORTER_OTLP_ENDPOINT and its other variables "
        "say",
    )
