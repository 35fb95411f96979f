"""What is said about one model in files beside it.

For `resnet.pt` these are `resnet.toml`, its settings, and `resnet.warmup.json`, requests that are
run when it is loaded: one JSON document, or one in each line.
"""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch_serving.config import MAX_MAX_BATCH, ModelConfig, WarmUp, settings_of
from torch_serving.errors import InvalidServable, file_error
from torch_serving.models.files import read_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS: dict[str, tuple[type, str]] = {  # kind of a setting -> its type in TOML, in words too
    "batch_size": (int, "a whole number"),
    "requests": (list, "a list of requests"),
    "switch": (bool, "true or false"),
    "text": (str, "a string"),
}
TYPES = {name: KINDS[str(setting.kind)] for name, _, setting in settings_of(ModelConfig)}


def read_model_config(model: Path, defaults: ModelConfig) -> ModelConfig:
    """Read the files beside a model. Raises InvalidServable with file and line."""
    toml, warm_up = files_beside(model)
    settings = read_toml(toml, defaults)
    warm_ups = read_warm_ups(warm_up)
    return replace(settings, warmup=settings.warmup + warm_ups)


def files_beside(model: Path) -> tuple[Path, Path]:
    """Where the settings and the warm-up requests of a model are, if it has any."""
    return model.with_suffix(".toml"), model.with_suffix(".warmup.json")


def stamps_beside(model: Path) -> list[int]:
    """When each of them changed last; 0 for one that is not there."""
    return [stamp_of(path) for path in files_beside(model)]


def stamp_of(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def read_toml(path: Path, defaults: ModelConfig) -> ModelConfig:
    try:
        text = read_regular(path).decode()
        values = tomllib.loads(text)
    except FileNotFoundError:
        return defaults
    except OSError as error:
        raise file_error(error, path.name) from None
    except UnicodeDecodeError:
        raise InvalidServable(f"{path.name}: it is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidServable(f"{path.name}: {error}") from None
    for key, value in values.items():
        problem = problem_with(key, value)
        if problem:
            raise InvalidServable(f"{path.name}{line_of(key, text)}: {problem}")
    source = f"{path.name}{line_of('warmup', text)}"
    requests = values.pop("warmup", [])
    warm_ups = tuple(WarmUp(source, body_of(request)) for request in requests)
    return replace(defaults, **values, warmup=warm_ups)


def problem_with(key: str, value: Any) -> str:
    """What is wrong with a setting, or nothing."""
    if key not in TYPES:
        return f"unknown key `{key}`; known are {', '.join(TYPES)}"
    kind, expected = TYPES[key]
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        return f"`{key}`: expected {expected}, got {value!r}"
    if isinstance(value, int) and key == "max_batch" and not 2 <= value <= MAX_MAX_BATCH:
        return f"`max_batch`: expected 2 to {MAX_MAX_BATCH}, got {value}"
    return ""


def line_of(key: str, text: str) -> str:
    match = re.search(rf"^\s*[\[\"']*{re.escape(key)}\b", text, re.MULTILINE)
    return f" line {text.count(chr(10), 0, match.end()) + 1}" if match else ""


def body_of(request: Any) -> bytes:
    """A request in TOML: its body as a string, or as TOML's own tables and arrays."""
    return request.encode() if isinstance(request, str) else json.dumps(request).encode()


def read_warm_ups(path: Path) -> tuple[WarmUp, ...]:
    try:
        data = read_regular(path)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise file_error(error, path.name) from None
    try:
        json.loads(data)
    except ValueError:
        lines = enumerate(data.splitlines(), 1)
        return tuple(WarmUp(f"{path.name} line {n}", line) for n, line in lines if line.strip())
    return (WarmUp(path.name, data),)
