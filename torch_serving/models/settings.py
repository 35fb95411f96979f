"""The files beside a model that say how it is served.

For `resnet.pt` these are `resnet.toml`, its configuration, and `resnet.warmup.json`, its warm-up
requests: one JSON document, or one on each line.
"""

import functools
import json
import math
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch_serving.errors import InvalidServable, file_error
from torch_serving.model_config import MAX_MAX_BATCH, ModelConfig, WarmUp, is_module_name
from torch_serving.models.backends.registry import BACKENDS
from torch_serving.models.declarations import TomlFile, read_inputs, read_methods
from torch_serving.models.file_names import SIDECARS
from torch_serving.models.files import FileStat, SidecarStats, file_stat, read_regular
from torch_serving.suggestions import did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TYPES: dict[str, tuple[type, str]] = {
    "device": (str, "a string"),
    "batch": (bool, "true or false"),
    "max_batch": (int, "a whole number"),
    "graphs": (bool, "true or false"),
    "tf32": (bool, "true or false"),
    "stateful": (bool, "true or false"),
    "grad": (bool, "true or false"),
    "freeze": (bool, "true or false"),
    "optimize": (bool, "true or false"),
    "import": (list, "a list of modules"),
    "warmup": (list, "a list of requests"),
    "input": (dict, "a table for each tensor"),
    "method": (dict, "a table for each method"),
}
# Keys that only some kinds of model files have.
OPTIONS = frozenset(key for backend in BACKENDS for key in backend.options)


def read_model_config(
    model: Path, defaults: ModelConfig, options: frozenset[str] = OPTIONS
) -> ModelConfig:
    """Read the files beside a model. `options` are those of OPTIONS that its kind of file has.

    Raises InvalidServable with file and line.
    """
    config = read_configuration(model, defaults, options)
    _, warm_up = sidecar_paths(model)
    return replace(config, warmup=config.warmup + read_warm_ups(warm_up))


def read_configuration(
    model: Path, defaults: ModelConfig, options: frozenset[str] = OPTIONS
) -> ModelConfig:
    """Read the configuration beside a model, without its warm-up requests."""
    toml, _ = sidecar_paths(model)
    try:
        return read_toml(toml, stat_or_none(toml), defaults, options)
    except RecursionError:
        raise InvalidServable(f"{toml.name}: nested too deep") from None


def sidecar_paths(model: Path) -> tuple[Path, Path]:
    """The paths of a model's configuration and warm-up requests; there need be no such files."""
    toml, warm_up = map(model.with_suffix, SIDECARS)
    return toml, warm_up


def sidecar_stats(model: Path) -> SidecarStats:
    """The stats of the files beside a model."""
    return tuple(stat_or_none(path) for path in sidecar_paths(model))


def stat_or_none(path: Path) -> FileStat | None:
    try:
        return file_stat(os.stat(path))
    except OSError:
        return None


@functools.lru_cache(maxsize=8)  # a load needs it twice: for the device, and for the rest
def read_toml(
    path: Path, stat: FileStat | None, defaults: ModelConfig, options: frozenset[str]
) -> ModelConfig:
    """Read a configuration file. A file with another `stat` is read anew."""
    try:
        text = read_regular(path).decode("utf-8-sig")
        values = tomllib.loads(text)
    except FileNotFoundError:
        return defaults
    except OSError as error:
        raise file_error(error, path.name) from None
    except UnicodeDecodeError:
        raise InvalidServable(f"{path.name}: it is not UTF-8") from None
    except ValueError as error:  # of TOML, or of `int` where there are thousands of digits
        raise InvalidServable(f"{path.name}: {error}") from None
    for key, value in values.items():
        problem = problem_with(key, value, options)
        if problem:
            raise InvalidServable(f"{path.name}{line_of(key, text)}: {problem}")
    source = f"{path.name}{line_of('warmup', text)}"
    requests = values.pop("warmup", [])
    warm_ups = tuple(WarmUp(source, body_of(request)) for request in requests)
    values["imports"] = tuple(values.pop("import", ()))
    file = TomlFile(path.name, text)
    values["input"] = read_inputs(file, values.get("input", {}))
    values["method"] = read_methods(file, values.get("method", {}))
    return replace(defaults, **values, warmup=warm_ups)


def problem_with(key: str, value: Any, options: frozenset[str]) -> str:
    """Say what is wrong with a setting; empty if nothing is."""
    known = [each for each in TYPES if each in options or each not in OPTIONS]
    if key not in known:
        return f"unknown key `{key}`; known are {', '.join(known)}{did_you_mean(key, known, '`')}"
    kind, expected = TYPES[key]
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        return f"`{key}`: expected {expected}, got {value!r}"
    if isinstance(value, int) and key == "max_batch" and not 2 <= value <= MAX_MAX_BATCH:
        return f"`max_batch`: expected 2 to {MAX_MAX_BATCH}, got {value}"
    if key == "import" and isinstance(value, list):
        wrong = [each for each in value if not isinstance(each, str) or not is_module_name(each)]
        return f"`import`: expected names of modules, got {wrong[0]!r}" if wrong else ""
    return ""


def line_of(key: str, text: str) -> str:
    match = re.search(rf"^\s*[\[\"']*{re.escape(key)}\b", text, re.MULTILINE)
    return f" line {text.count(chr(10), 0, match.end()) + 1}" if match else ""


def location_of(key: str, model: Path) -> str:
    """The configuration file of a model, and the line of a key there."""
    toml, _ = sidecar_paths(model)
    try:
        return f"{toml.name}{line_of(key, read_regular(toml).decode('utf-8-sig'))}"
    except (OSError, UnicodeDecodeError):  # it has changed
        return toml.name


def body_of(request: Any) -> bytes:
    """A request in TOML: its body as a string, or as TOML's own tables and arrays."""
    if isinstance(request, str):
        return request.encode()
    return json.dumps(as_json(request), default=str).encode()  # dates and times are text


def as_json(value: Any) -> Any:
    """A value of TOML in JSON, where NaN and infinities are strings."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def read_warm_ups(path: Path) -> tuple[WarmUp, ...]:
    try:
        data = read_regular(path)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise file_error(error, path.name) from None
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        lines = enumerate(data.splitlines(), 1)
        return tuple(WarmUp(f"{path.name} line {n}", line) for n, line in lines if line.strip())
    return (WarmUp(path.name, data),)
