"""`torch-serving inspect`: what a model file takes and gives."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch_serving.cli.example_text import example_lines, image_lines
from torch_serving.cli.flags import Parser
from torch_serving.cli.model_file import command_parser, load_model
from torch_serving.errors import StartupError
from torch_serving.model_config import ModelConfig
from torch_serving.models.plain_example import plain_example, text_of
from torch_serving.suggestions import did_you_mean

if TYPE_CHECKING:
    from torch_serving.models.servable import Servable


def inspect(argv: Sequence[str]) -> int:
    """Print what a model takes and gives."""
    arguments = build_parser().read(argv)
    runtime, servable = load_model(arguments.model, arguments.device, arguments.imports)
    from torch_serving.service.description import describe  # takes a second: torch

    with silent_stderr():  # requests that are tried may make a library write there
        examples = runtime.examples.find(servable)
    described = describe(servable, examples)
    description = {"file_bytes": arguments.model.stat().st_size, **described}
    for name, method in described["methods"].items() if not arguments.json else ():
        method["example"] = plain_example(servable.method(name), method["example"])
    if arguments.example is not None:
        print(example_of(description, arguments.example or servable.main_name))
    elif arguments.json:
        print(json.dumps(description, ensure_ascii=False, indent=2))
    else:
        add_images(servable, described["methods"])
        first, *others = lines_of(arguments.model, description)
        batcher = servable.main_method().batcher
        rows = batcher.max_rows if batcher else 0
        used = may_use(servable.config, servable.device.type, rows)
        print("\n".join([first, f"may use: {used}", *others]))
    return 0


def build_parser() -> Parser:
    parser = command_parser("inspect", "Show what a model takes and gives.")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--example",
        metavar="METHOD",
        nargs="?",
        const="",
        help="only a request that works, for this method or the main one",
    )
    return parser


def add_images(servable: "Servable", methods: dict[str, Any]) -> None:
    """Add to descriptions of methods how an image file is sent to them."""
    from torch_serving.models.image_example import image_example

    with silent_stderr():
        for name, method in methods.items():
            if "note" not in method:
                method["image"] = image_example(servable.method(name), method["example"])


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Let nothing reach standard error, not even what is written by libraries."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def may_use(config: ModelConfig, device_type: str, rows: int) -> str:
    """What a model and the files beside it allow, in the words of their keys.

    `rows` may run as one.
    """
    of_cards = "" if device_type == "cuda" else " (on a card)"
    parts = [f"batch (max_batch {rows})"] if rows else []
    parts += [f"{name}{of_cards}" for name in ("graphs", "tf32") if getattr(config, name)]
    parts += [name for name in ("freeze", "optimize") if getattr(config, name)]
    return ", ".join(parts) or "neither batches, graphs nor tf32"


def example_of(description: dict[str, Any], method: str) -> str:
    """A request for a method. Raises StartupError if there is none."""
    methods = description["methods"]
    if method not in methods:
        raise StartupError(f"no such method: {method}{did_you_mean(method, methods)}")
    if "note" in methods[method]:
        raise StartupError(methods[method]["note"])
    return text_of(methods[method]["example"])


def lines_of(model: Path, description: dict[str, Any]) -> list[str]:
    """The description as a table for people."""
    lines = [
        f"{model.name}: {description['file_bytes']:,} bytes, "
        f"{description['parameters']:,} parameters ({description['data_type'] or 'none'}), "
        f"device {description['device']}",
        f"runs as {description['runs']}",
    ]
    if "stateful" in description:
        lines.append(f"keeps state ({description['stateful']}): requests run one at a time")
    if "unbatched" in description:
        lines.append(f"requests run one by one: {description['unbatched']}")
    for method, parts in description["methods"].items():
        lines += ["", f"{method} -> {parts['result']}"]
        rows = [row for argument in parts["arguments"] for row in rows_of(argument)]
        rows += [
            (f"-> {name}", declared_text(each), "")
            for name, each in parts.get("results", {}).items()
        ]
        widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
        lines += [
            f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}".rstrip() for row in rows
        ]
        if "note" in parts:
            lines += [f"  example: {text_of(parts['example'])}", f"  ({parts['note']})"]
            lines += declaration_lines(model, parts["arguments"])
        else:
            lines += example_lines(str(model), model.name, method, parts["example"])
            lines += image_lines(model.name, method, parts.get("image"))
    return lines


def declaration_lines(model: Path, arguments: list[dict[str, Any]]) -> list[str]:
    """How the first tensor of which nothing is known can be declared."""
    unknown = [each["name"] for each in arguments if each["type"] == "Tensor" and len(each) == 3]
    return [
        f"  what it must be can be declared in {model.with_suffix('.toml').name}: "
        f'input.{name} = {{ data_type = "float32", shape = [-1, 16] }}'
        for name in unknown[:1]
    ]


def rows_of(argument: dict[str, Any]) -> list[tuple[str, str, str]]:
    """An argument, and the tensors in it of which something is declared."""
    presence = "required" if argument["required"] else f"default {argument['default']!r}"
    inner = argument.get("tensors", {})
    return [
        (argument["name"], f"{argument['type']} {declared_text(argument)}".rstrip(), presence),
        *((name, declared_text(each), "") for name, each in inner.items()),
    ]


def declared_text(declared: dict[str, Any]) -> str:
    shape = f"[{', '.join(map(size_text, declared['shape']))}]" if "shape" in declared else ""
    return f"{declared.get('data_type', '')} {shape}".strip()


def size_text(size: Any) -> str:
    """A dimension in a table: its size or sizes, and the symbol that it has."""
    if not isinstance(size, dict):
        return json.dumps(size)
    least, most = size.get("min", 0), size.get("max")
    sizes = f"{least}…{'' if most is None else most}"
    return f"{size['name']}: {sizes}" if "name" in size else sizes
