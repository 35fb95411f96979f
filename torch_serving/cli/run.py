"""`torch-serving run`: one request through a model file, without a server."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch_serving.cli.flags import Parser
from torch_serving.cli.model_file import command_parser, load_model
from torch_serving.cli.serving import print_notice
from torch_serving.errors import ServingError, StartupError

if TYPE_CHECKING:  # torch takes a second
    from torch_serving.engine.interfaces import Invocation
    from torch_serving.models.servable import Method


def run(argv: Sequence[str]) -> int:
    """Run one request without a server; print the response that the server would have sent."""
    arguments = build_parser().read(argv)
    body = read_data(arguments.data)
    runtime, servable = load_model(arguments.model, arguments.device, arguments.imports)
    try:
        method = servable.method(arguments.method)
        invocation = invocation_of(method, arguments.content_type, arguments.plain)
        response = runtime.inference.run(invocation, body)
    except ServingError as error:
        print(json.dumps(error.to_dict(), ensure_ascii=False))
        return 1
    sys.stdout.buffer.write(response.body + b"\n")
    return 0


def build_parser() -> Parser:
    parser = command_parser("run", "Run one request through a model.")
    parser.add_argument(
        "--data", default="@-", help="the body, or @FILE, or @- for standard input (the default)"
    )
    parser.add_argument(
        "--content-type",
        metavar="TYPE",
        help="the media type of the body, as image/jpeg for an image file (default: JSON)",
    )
    parser.add_argument("--method", default="forward", help="the method (default: forward)")
    parser.add_argument(
        "--plain", action="store_true", help="print the result without envelopes, as ?plain=1 does"
    )
    return parser


def invocation_of(method: "Method", content_type: str | None, plain: bool) -> "Invocation":
    """What runs a request. Raises ServingError for a media type that is unknown."""
    from torch_serving.codecs.invocation import CodecInvocation
    from torch_serving.codecs.media_types import reader_of

    if content_type is None and not plain:
        return method
    return CodecInvocation(method, reader_of(content_type), None, plain)


def read_data(data: str) -> bytes:
    """Return a request's body: the argument itself, or what `@FILE` or `@-` names."""
    if not data.startswith("@"):
        return data.encode()
    if data == "@-":
        if sys.stdin.isatty():
            print_notice(
                "reading the body from the terminal; Ctrl-D ends it, --data has another one"
            )
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise StartupError(f"can't read {data[1:]}: {error.strerror}") from None
