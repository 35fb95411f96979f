"""Settings from a TOML file whose keys are the flags, and a configuration as such a file."""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch_serving.cli.layers import Given, Layer
from torch_serving.cli.options import OPTIONS, OWN_OPTIONS, Option
from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.suggestions import did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

COLUMN = 44  # of the comments in what is printed


def layer_of_file(path: Path) -> Layer:
    """Return what a file sets. Raises StartupError with the file and the line.

    Paths in it are relative to its folder.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except OSError as error:
        raise StartupError(f"--config {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StartupError(f"--config {path}: it is not UTF-8") from None
    except RecursionError:
        raise StartupError(f"--config {path}: nested too deep") from None
    except ValueError as error:  # of TOML, or of `int` where there are thousands of digits
        raise StartupError(f"--config {path}: {error}") from None
    options = {option.key: option for option in OPTIONS}
    layer = {}
    for key, value in values.items():
        origin = f"{path}{line_of(key, text)}"
        if key not in options:
            raise StartupError(f"{origin}: unknown key `{key}`{did_you_mean(key, options)}")
        option = options[key]
        try:
            layer[option.name] = Given(read(option, value, path.parent), origin)
        except (argparse.ArgumentTypeError, ValueError) as error:
            raise StartupError(f"{origin}: `{key}`: {error}") from None
    return layer


def line_of(key: str, text: str) -> str:
    match = re.search(rf"^\s*[\[\"']*{re.escape(key)}\b", text, re.MULTILINE)
    return f" line {text.count(chr(10), 0, match.end()) + 1}" if match else ""


def read(option: Option, value: Any, folder: Path) -> Any:
    """Read a value of TOML as the text that a command line would have. Raises ArgumentTypeError."""
    if option.is_repeated:
        values = value if isinstance(value, list) else [value]
        return tuple(option.read(text_of(each)) for each in values)
    read_value = option.read(text_of(value))
    return folder / read_value if isinstance(read_value, Path) else read_value


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    got = "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else value
    raise argparse.ArgumentTypeError(f"expected one value, got {got}")


def as_toml(config: Config, given: Layer) -> Iterator[str]:
    """Yield the lines of a file that gives a configuration; comments say where values come from."""
    for option in OWN_OPTIONS:
        value = getattr(config, option.name)
        origin = given[option.name].origin if option.name in given else "default"
        default = option.setting.default_text
        if config.uds and option.name in ("host", "port"):
            yield f"# {option.key} is not set: uds takes its place"
        elif value == option.default and (default or value in (None, ())):
            yield f"# {option.key} is not set" + (f": {default}" if default else "")
        else:
            line = f"{option.key} = {toml_of(option, value)}"
            yield f"{line.ljust(COLUMN)}  # {origin}"


def toml_of(option: Option, value: Any) -> str:
    """A value in TOML, whose strings are those of JSON."""
    if option.is_repeated:
        return f"[{', '.join(quoted(option.text_of(each)) for each in value)}]"
    if isinstance(value, bool):
        return "true" if option.text_of(value) == "on" else "false"
    if isinstance(value, Path):
        return quoted(str(value.absolute()))
    text = option.text_of(value)
    is_number = isinstance(value, int | float) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", text)
    return text if is_number else quoted(text)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
