"""The flags of `torch-serving bench`."""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from torch_serving.cli.flag_types import one_of, positive, seconds, seconds_or_zero
from torch_serving.cli.flags import Parser
from torch_serving.errors import StartupError

Value = TypeVar("Value")

DESCRIPTION = """\
Put a load on a model, and measure what its clients see.

MODEL is a file, which is served for that (flags after -- are those of the server), or the name of
a model on the server of --url, or the URL of a server or of a request to one.
"""
EPILOG = """\
examples:
  torch-serving bench mlp.pt                         1, 8 and 64 clients, each asks again at once
  torch-serving bench mlp.pt -- --workers 2 --batch '*'
  torch-serving bench mlp.pt --rate 1000,2000        so many requests/s, whatever the answers
  torch-serving bench mlp.pt --url http://10.0.0.7:8888 --form safetensors --rows 32
  torch-serving bench mlp.pt --json > before.json    and later: --compare before.json --svg new.svg

A closed loop (--connections) asks a slow server less often, so it hides pauses; an open loop
(--rate) counts each latency from when its request was due. See docs/benchmarking.md.
"""
FORMS = ("json", "v2", "safetensors")
GENERATORS = ("auto", "own", "wrk")
CONNECTIONS = (1, 8, 64)
OPEN_CONNECTIONS = 256  # the most of an open loop
MOST_CONNECTIONS = 10_000
MOST_RATE = 1_000_000


def read_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the flags. Ends the process if they are wrong."""
    parser = build_parser()
    arguments = parser.read(argv)
    if arguments.rate and len(arguments.connections or ()) > 1:
        parser.error("with --rate, --connections is one number: the most that may be open")
    others = ("rate", "json", "svg", "compare")
    if arguments.suggest and (both := [name for name in others if getattr(arguments, name)]):
        parser.error(f"--suggest prints what it found; leave --{both[0]} out")
    if arguments.body is not None and arguments.rows is not None:
        parser.error("--body and --rows are two requests; leave one out")
    return arguments


def build_parser() -> Parser:
    parser = Parser(
        "bench",
        usage="%(prog)s MODEL|URL [flags] [-- flags of the server]",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("model", metavar="MODEL|URL", help="what to measure")
    add_place(parser.add_argument_group("where"))
    add_request(parser.add_argument_group("request"))
    add_load(parser.add_argument_group("load"))
    add_output(parser.add_argument_group("output"))
    add_search(parser.add_argument_group("search"))
    return parser


def add_place(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--url", help="the server that has MODEL, as in http://127.0.0.1:8888")
    group.add_argument("--uds", metavar="FILE", type=Path, help="connect to this Unix socket")
    group.add_argument(
        "--api-key-file",
        metavar="FILE",
        type=Path,
        help="send the first key in this file (default: TORCH_SERVING_API_KEY)",
    )
    group.add_argument("--insecure", action="store_true", help="take any certificate")


def add_request(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--method", default="forward", help="the method (default: forward)")
    group.add_argument(
        "--form",
        metavar=f"{{{','.join(FORMS)}}}",
        type=lambda text: one_of(FORMS, text),
        help="of the body: JSON, Open Inference Protocol with binary tensors, or safetensors "
        "(default: json)",
    )
    group.add_argument(
        "--body", metavar="FILE", type=Path, help="the body (default: the example of the model)"
    )
    group.add_argument(
        "--rows", metavar="N", type=positive, help="random tensors of the example's shapes, N rows"
    )


def add_load(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "-c",
        "--connections",
        metavar="N[,N…]",
        type=several(connections),
        help="closed loop: requests on their way at a time, each number in turn (default: 1,8,64); "
        f"with --rate: the most connections (default: {OPEN_CONNECTIONS})",
    )
    group.add_argument(
        "-r",
        "--rate",
        metavar="R[,R…]",
        type=several(rate),
        help="open loop: requests that become due in a second, each number in turn",
    )
    group.add_argument(
        "-s", "--seconds", type=seconds, default=5.0, help="of each load (default: 5)"
    )
    group.add_argument(
        "--warm-up", type=seconds_or_zero, default=1.0, metavar="SECONDS", help="(default: 1)"
    )
    group.add_argument(
        "--timeout",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long an answer may take (default: 30)",
    )
    group.add_argument(
        "--generator",
        metavar=f"{{{','.join(GENERATORS)}}}",
        type=lambda text: one_of(GENERATORS, text),
        default="auto",
        help="auto: our own, and wrk where that was the limit itself (default: auto)",
    )


def add_output(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--json", action="store_true", help="print all figures as JSON")
    group.add_argument("--svg", metavar="FILE", type=Path, help="write a picture")
    group.add_argument(
        "--compare", metavar="FILE", type=Path, help="compare with what --json printed before"
    )


def add_search(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--suggest",
        action="store_true",
        help="try threads, workers and batches; print the flags that serve MODEL best here",
    )
    group.add_argument(
        "--budget",
        metavar="SECONDS",
        type=seconds,
        default=120.0,
        help="how long --suggest may take (default: 120)",
    )


def several(read: Callable[[str], Value]) -> Callable[[str], list[Value]]:
    """Values with commas between them, each once."""
    return lambda text: list(dict.fromkeys(read(part.strip()) for part in text.split(",")))


def connections(text: str) -> int:
    if positive(text) > MOST_CONNECTIONS:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_CONNECTIONS}, got {text}")
    return int(text)


def rate(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]+)?", text) or not 0 < float(text) <= MOST_RATE:
        raise argparse.ArgumentTypeError(
            f"expected requests/s, more than 0 and at most {MOST_RATE}, got {text!r}"
        )
    return float(text)


def read_body(path: Path | None) -> bytes | None:
    """Return the content of `--body`. Raises StartupError."""
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise StartupError(f"--body {path}: {error.strerror}") from None
