"""The command line: flags and TORCH_SERVING_* -> Config -> server."""

import argparse
import ipaddress
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from torch_serving.cli import commands
from torch_serving.cli.flags import DEFAULTS, build_parser
from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.server.listener import bind
from torch_serving.server.openmp import spin_briefly
from torch_serving.telemetry.json_logs import JsonFormatter

PREFIX = "TORCH_SERVING_"
COMMANDS = {"inspect": commands.inspect, "run": commands.run}


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
    spin_briefly()
    from torch_serving.server.main import serve  # takes a second: torch

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


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
