"""Flags and TORCH_SERVING_* variables -> Config."""

import argparse
import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch_serving.cli.flags import Parser, build_parser
from torch_serving.cli.suggestions import near_path
from torch_serving.config import Config

PREFIX = "TORCH_SERVING_"


def parse(argv: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Return what flags and variables say; flags win. Ends the process if they are wrong."""
    parser = build_parser()
    values = vars(parser.read([*from_environment(parser, environment), *argv]))
    if values.pop("use_gpu", False) and values.get("device", "cpu") in ("cpu", Config.device):
        values["device"] = "cuda"
    values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    config = Config(**values)
    check(parser, config)
    return config


def check(parser: Parser, config: Config) -> None:
    """End the process for settings that do not go together."""
    if config.model_root.is_file():
        path = config.model_root.absolute()
        parser.error(
            f"MODEL_ROOT: {config.model_root} is a file; give its folder, {path.parent}, and ask "
            f"for {path.name}"
        )
    if not config.model_root.is_dir():
        near = near_path(config.model_root)
        parser.error(f"MODEL_ROOT: no such folder: {config.model_root}{near}")
    if config.server == "meinheld" and not (config.behind_proxy or is_loopback(config.host)):
        parser.error(
            f"meinheld on {config.host}: it crashes on a malformed chunked request, so beyond this "
            "machine it must stand behind a proxy; say --behind-proxy if it does"
        )
    if (config.tls_cert is None) != (config.tls_key is None):
        parser.error("--tls-cert and --tls-key: one needs the other")
    if config.tls_cert and config.server == "meinheld":
        parser.error("meinheld does not speak HTTPS; leave --tls-cert out")


def from_environment(parser: Parser, environment: Mapping[str, str]) -> list[str]:
    """The arguments that the environment holds, as on a command line."""
    arguments = []
    for action in parser._actions:
        long = [flag for flag in action.option_strings if flag.startswith("--")]
        for flag in long or [""]:
            name = variable_of(flag or action.dest)
            value = environment.get(name)
            if value and not is_address(value) and flag not in ("--help", "--version"):
                check_variable(parser, name, action, value)
                arguments += as_arguments(parser, name, action, flag, value)
    return arguments


def is_address(value: str) -> bool:
    """Whether Kubernetes set a variable: TORCH_SERVING_PORT for a service called torch-serving."""
    return value.startswith(("tcp://", "udp://", "sctp://"))


def variable_of(flag: str) -> str:
    """The environment variable of a long flag, or of MODEL_ROOT."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def as_arguments(
    parser: Parser, name: str, action: argparse.Action, flag: str, value: str
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


def check_variable(parser: Parser, name: str, action: argparse.Action, value: str) -> None:
    """End the process, naming the variable, if its value is not what the flag takes."""
    try:
        if callable(action.type):
            action.type(value)
    except (argparse.ArgumentTypeError, ValueError) as error:
        parser.error(f"{name}: {error}")
    if action.choices and value not in action.choices:
        parser.error(f"{name}: expected one of {', '.join(action.choices)}, got {value!r}")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
