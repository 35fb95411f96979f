"""Settings from variables of the environment: TORCH_SERVING_* and the PORT of platforms."""

import argparse
import re
from collections.abc import Mapping

from torch_serving.cli.layers import Given, Layer
from torch_serving.cli.options import CONFIG_FILE, OPTIONS, PREFIX, Option
from torch_serving.errors import StartupError
from torch_serving.suggestions import did_you_mean

# What Kubernetes sets for services whose names begin with torch-serving.
SERVICE = re.compile(r"(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)")
ADDRESS = re.compile(r"(tcp|udp|sctp)://")
PORT = "PORT"


def layer_of_environment(environment: Mapping[str, str]) -> Layer:
    """Return what the variables set. Raises StartupError, which names the variable."""
    layer = {}
    for option in [CONFIG_FILE, *OPTIONS]:
        text = environment.get(option.variable, "").strip()
        if text and not ADDRESS.match(text):
            layer[option.name] = read(option, option.variable, text)
    platform = environment.get(PORT, "")
    if "port" not in layer and is_port(platform):
        layer["port"] = Given(int(platform), PORT)
    return layer


def read(option: Option, variable: str, text: str) -> Given:
    try:
        if option.is_repeated:
            parts = [part.strip() for part in text.split(",")]
            return Given(tuple(option.read(part) for part in parts if part), variable)
        return Given(option.read(text), variable)
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise StartupError(f"{variable}: {error}") from None


def is_port(text: str) -> bool:
    return re.fullmatch("[0-9]{1,5}", text) is not None and int(text) < 1 << 16


def misspelt_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each variable that begins as a setting's does and is none."""
    known = {option.variable for option in [CONFIG_FILE, *OPTIONS]}
    unknown = [
        name
        for name, value in environment.items()
        if name.startswith(PREFIX)
        and name not in known
        and not SERVICE.fullmatch(name.removeprefix(PREFIX))
        and not ADDRESS.match(value)
    ]
    return [f"{name} is no setting{did_you_mean(name, known)}" for name in sorted(unknown)]
