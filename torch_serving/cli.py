"""The command line: flags and TORCH_SERVING_* -> Config -> server."""

import argparse
import ipaddress
import logging
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from torch_serving import __version__, commands
from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.json_logs import JsonFormatter
from torch_serving.listener import bind
from torch_serving.sidecar import MAX_MAX_BATCH

PREFIX = "TORCH_SERVING_"
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
DEFAULTS = Config()
TIMEOUTS = {
    "header": "the header of a request",
    "body": "the body of a request",
    "queue": "a lane",
    "request": "a model's answer",
    "shutdown": "accepted requests to end",
}
COMMANDS = {"inspect": commands.inspect, "run": commands.run}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=36)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the server or a command, and end the process with its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        if argv and argv[0] in COMMANDS:
            sys.exit(COMMANDS[argv[0]](argv[1:]))
        serve_until_signal(parse(argv, os.environ))
    except StartupError as error:
        print(f"torch-serving: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def serve_until_signal(config: Config) -> NoReturn:
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if config.log_format == "json" else text)
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler])
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.root.level))
    listener = bind(config.host, config.port)
    if not (config.api_key_file or config.behind_proxy or is_loopback(config.host)):
        logging.getLogger("torch_serving").warning(
            "everybody who reaches %s may run models here; --api-key-file asks for a key",
            config.host,
        )
    from torch_serving.start import serve  # takes a second: torch

    code = serve(config, listener)
    sys.stdout.flush()
    logging.shutdown()
    os._exit(code)  # torch must not be torn down under threads that it may still have


def parse(argv: Sequence[str], environment: "os._Environ[str] | dict[str, str]") -> Config:
    """Read the settings; flags win over the environment. Ends the process if they are wrong."""
    parser = build_parser()
    values = vars(parser.parse_args([*from_environment(parser, environment), *argv]))
    if values.pop("use_gpu") and values["device"] == DEFAULTS.device:
        values["device"] = "cuda"
    for name in ("jit_fusion", "jit_profiling"):
        values[name] = values[name] == "on"
    for name in ("preload", "batch", "cors_origins"):
        values[name] = tuple(values.get(name, ()))
    config = Config(**values)
    if not config.model_root.is_dir():
        parser.error(f"MODEL_ROOT: no such folder: {config.model_root}")
    if config.server == "meinheld" and not (config.behind_proxy or is_loopback(config.host)):
        parser.error(
            f"meinheld on {config.host}: it crashes on a malformed chunked request, so beyond this "
            "machine it must stand behind a proxy; say --behind-proxy if it does"
        )
    if (config.tls_cert is None) != (config.tls_key is None):
        parser.error("--tls-cert and --tls-key: one needs the other")
    if config.tls_cert and config.server == "meinheld":
        parser.error("meinheld does not speak HTTPS; leave --tls-cert out")
    return config


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
    add_model_flags(parser.add_argument_group("models"))
    add_execution_flags(parser.add_argument_group("execution"))
    add_limit_flags(parser.add_argument_group("limits"))
    logs = parser.add_argument_group("logs")
    logs.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default=DEFAULTS.log_level,
        help="info has a line for each request",
    )
    logs.add_argument(
        "--log-format",
        choices=["text", "json"],
        default=DEFAULTS.log_format,
        help="json is one object a line",
    )
    logs.add_argument(
        "--tracing",
        action="store_true",
        help="send spans to OpenTelemetry, as OTEL_EXPORTER_OTLP_ENDPOINT and its other variables "
        "say",
    )
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


def add_model_flags(group: "argparse._ArgumentGroup") -> None:
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
        "--model-memory",
        dest="model_memory_bytes",
        metavar="SIZE",
        type=size,
        default=argparse.SUPPRESS,
        help="memory for the weights of models on each device, besides the capacity "
        "(default: no limit)",
    )
    group.add_argument(
        "--preload",
        metavar="PATTERN",
        type=pattern,
        action="append",
        default=argparse.SUPPRESS,
        help="load the models with these names at the start, as in '*.pt'; may be repeated",
    )
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
    for part, meaning in TIMEOUTS.items():
        group.add_argument(
            f"--{part}-timeout",
            dest=f"{part}_timeout_s",
            metavar="SECONDS",
            type=seconds,
            default=getattr(DEFAULTS, f"{part}_timeout_s"),
            help=f"how long to wait for {meaning}",
        )


def from_environment(
    parser: argparse.ArgumentParser, environment: "os._Environ[str] | dict[str, str]"
) -> list[str]:
    """The arguments that the environment holds, as on a command line."""
    arguments = []
    for action in parser._actions:
        long = [flag for flag in action.option_strings if flag.startswith("--")]
        for flag in long or [""]:
            name = PREFIX + (flag.removeprefix("--") or action.dest).replace("-", "_").upper()
            value = environment.get(name)
            if value is not None and flag not in ("--help", "--version"):
                check(parser, name, action, value)
                arguments += as_arguments(parser, name, action, flag, value)
    return arguments


def as_arguments(
    parser: argparse.ArgumentParser, name: str, action: argparse.Action, flag: str, value: str
) -> list[str]:
    """One variable, as on a command line."""
    if not flag:
        action.default = Path(value)
        return []
    if action.nargs != 0:
        return [f"{flag}={value}"]
    if value.lower() not in ("", "0", "1", "false", "true"):
        parser.error(f"{name}: expected 0 or 1, got {value!r}")
    return [flag] if value.lower() in ("1", "true") else []


def check(parser: argparse.ArgumentParser, name: str, action: argparse.Action, value: str) -> None:
    """End the process, naming the variable, if its value is not what the flag takes."""
    try:
        if callable(action.type):
            action.type(value)
    except (argparse.ArgumentTypeError, ValueError) as error:
        parser.error(f"{name}: {error}")
    if action.choices and value not in action.choices:
        parser.error(f"{name}: expected one of {', '.join(action.choices)}, got {value!r}")


def natural(text: str) -> int:
    if not re.fullmatch("[0-9]+", text):
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def positive(text: str) -> int:
    if natural(text) < 1:
        raise argparse.ArgumentTypeError("expected at least 1")
    return int(text)


def batch_size(text: str) -> int:
    if not 2 <= natural(text) <= MAX_MAX_BATCH:
        raise argparse.ArgumentTypeError(f"expected 2 to {MAX_MAX_BATCH}, got {text}")
    return int(text)


def workers(text: str) -> int | None:
    return None if text == "auto" else positive(text)


def pattern(text: str) -> str:
    """The names of models, as a shell writes it; `./` before it means nothing."""
    if not text:
        raise argparse.ArgumentTypeError("expected a pattern as in *.pt")
    return text.removeprefix("./")


def origin(text: str) -> str:
    """As browsers send it: scheme, host and port, no path."""
    if text != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s]+", text):
        raise argparse.ArgumentTypeError(f"expected * or as in https://example.org, got {text!r}")
    return text


def port(text: str) -> int:
    if natural(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, got {text}")
    return int(text)


def seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or float(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, got {text!r}")
    return float(text)


def seconds_or_none(text: str) -> float:
    return 0.0 if text in ("0", "0.0") else seconds(text)


def size(text: str) -> int:
    """A number of bytes: 1000, 64KiB, 256M; units are powers of 1024."""
    match = re.fullmatch(r"([0-9]+)([kmg]?)(i?b)?", text.lower())
    if not match or match[0] == "0":
        raise argparse.ArgumentTypeError(f"expected a size as in 1000, 64KiB or 256M, got {text!r}")
    return int(match[1]) * UNITS[match[2]]


def size_or_none(text: str) -> int:
    return 0 if text == "0" else size(text)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
