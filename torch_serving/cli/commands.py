"""The commands beside serving: `inspect` a model file, `run` one request through it."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch_serving.errors import ServingError, StartupError


def inspect(argv: Sequence[str]) -> int:
    """Print what a model takes and gives."""
    parser = argparse.ArgumentParser(
        prog="torch-serving inspect", description="Show what a TorchScript model takes and gives."
    )
    parser.add_argument("model", type=Path, help="a file saved with torch.jit.save")
    parser.add_argument("--device", default="cpu", help="where to load it (default: cpu)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    arguments = parser.parse_args(argv)
    from torch_serving.service.description import describe  # takes a second: torch

    description = describe(load_servable(arguments.model, arguments.device))
    description = {"file_bytes": arguments.model.stat().st_size, **description}
    if arguments.json:
        print(json.dumps(description, ensure_ascii=False, indent=2))
    else:
        print("\n".join(lines_of(arguments.model.name, description)))
    return 0


def run(argv: Sequence[str]) -> int:
    """Answer one request without a server; print what the server would have answered."""
    parser = argparse.ArgumentParser(
        prog="torch-serving run", description="Run one request through a TorchScript model."
    )
    parser.add_argument("model", type=Path, help="a file saved with torch.jit.save")
    parser.add_argument(
        "--data", default="@-", help="the body, or @FILE, or @- for standard input (the default)"
    )
    parser.add_argument("--method", default="forward", help="the method (default: forward)")
    parser.add_argument("--device", default="cpu", help="where to run (default: cpu)")
    arguments = parser.parse_args(argv)
    body = read_data(arguments.data)
    from torch_serving.engine.engine import Engine  # takes a second: torch

    servable = load_servable(arguments.model, arguments.device)
    try:
        response = Engine(lanes=1).run(servable.method(arguments.method), body)
    except ServingError as error:
        print(json.dumps(error.document(), ensure_ascii=False))
        return 1
    sys.stdout.buffer.write(response + b"\n")
    return 0


def read_data(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode()
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise StartupError(f"can't read {data[1:]}: {error.strerror}") from None


def load_servable(path: Path, device: str) -> Any:
    from torch_serving.engine.devices import device_of
    from torch_serving.models.loader import load

    if not path.is_file():
        raise StartupError(f"no such file: {path}")
    try:
        return load(path, device_of(device))
    except ServingError as error:
        raise StartupError(f"{path}: {error.detail}") from None


def lines_of(name: str, description: dict[str, Any]) -> list[str]:
    """The description as a table for people."""
    lines = [
        f"{name}: {description['file_bytes']:,} bytes, "
        f"{description['parameters']:,} parameters ({description['data_type'] or 'none'}), "
        f"device {description['device']}"
    ]
    for method, parts in description["methods"].items():
        lines += ["", f"{method} -> {parts['result']}"]
        rows = [
            (
                argument["name"],
                argument["type"],
                "required" if argument["required"] else f"default {argument['default']!r}",
            )
            for argument in parts["arguments"]
        ]
        widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
        lines += [f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}" for row in rows]
        lines.append(f"  example: {json.dumps(parts['example'], ensure_ascii=False)}")
        if "note" in parts:
            lines.append(f"  ({parts['note']})")
    return lines
