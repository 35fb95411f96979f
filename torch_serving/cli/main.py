"""The command line: `torch-serving [serve]` serves; the other commands need no server."""

import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from torch_serving.cli.compile import compile_model
from torch_serving.cli.config_file import as_toml
from torch_serving.cli.inspect import inspect
from torch_serving.cli.requirements import required_modules
from torch_serving.cli.run import run
from torch_serving.cli.settings import Settings, read_settings
from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.http.reach import is_loopback
from torch_serving.server.listener import bound
from torch_serving.server.tuning import set_up_gpu_memory, spin_briefly
from torch_serving.suggestions import did_you_mean
from torch_serving.telemetry.log_lines import JsonFormatter, TextFormatter
from torch_serving.telemetry.output import drain_output, lines_of, open_missing, redirect_output

COMMANDS = {"compile": compile_model, "inspect": inspect, "run": run}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the server or a command, and end the process with its exit code."""
    open_missing()
    try:
        run_command(sys.argv[1:] if argv is None else argv)
    except StartupError as error:
        print(f"torch-serving: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # who reads the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be written then
        sys.exit(1)


def run_command(argv: Sequence[str]) -> NoReturn:
    """Run what the first word says; without such a word, serve. `./serve` is a folder."""
    command, *others = argv or [""]
    if command == "help":
        run_command([*others[:1], "--help"])
    if command == "version":
        run_command(["--version"])
    if command in COMMANDS:
        code = COMMANDS[command](others)
        sys.stdout.flush()
        sys.exit(code)
    check_word(command)
    settings = read_settings(others if command == "serve" else argv, os.environ)
    if settings.print_config:
        print_config(settings)
    if settings.check:
        check(settings)
    serve(settings.config, settings.warnings)


def check_word(word: str) -> None:
    """Raise StartupError for a first word that is neither there nor a command, but nearly one."""
    hint = did_you_mean(word, [*COMMANDS, "serve", "help", "version"])
    if hint and word not in ("", "serve") and word[0] != "-" and not Path(word).exists():
        raise StartupError(f"no such command, folder or file: {word}{hint}")


def print_config(settings: Settings) -> NoReturn:
    """Print the configuration as a file for `--config`, and end the process."""
    print("\n".join(as_toml(settings.config, settings.given)))
    for warning in settings.warnings:
        tell(warning)
    sys.exit(0)


def check(settings: Settings) -> NoReturn:
    """Tell what is wrong, and end the process: 0 is nothing, 1 a model, 2 a setting."""
    with required_modules():
        from torch_serving.server.check import check as find_problems
    for warning in settings.warnings:
        tell(warning)
    code = find_problems(settings.config, tell)
    if code == 0:
        print("all is well")
    sys.stdout.flush()
    os._exit(code)  # as after serving


def tell(problem: str) -> None:
    print(f"torch-serving: {problem}", file=sys.stderr, flush=True)


def serve(config: Config, warnings: Sequence[str] = ()) -> NoReturn:
    """Serve until a signal says stop, and end the process. `warnings` are logged."""
    redirect_output(config.log_format == "json")
    configure_logging(config)
    logger = logging.getLogger("torch_serving")
    for warning in warnings:
        logger.warning("%s", warning)
    with bound(config) as listener:
        code = serve_on(listener, config, logger)
    logging.shutdown()
    drain_output()
    os._exit(code)  # torch must not be torn down under threads that it may still have


def serve_on(listener: socket.socket, config: Config, logger: logging.Logger) -> int:
    """Serve until a signal says stop; return the exit code."""
    if not (config.api_key_file or config.behind_proxy or is_loopback(config.host)):
        logger.warning(
            "everybody who reaches %s may run models here; --api-key-file asks for a key",
            config.host,
        )
    if config.debug_errors and not is_loopback(config.host):
        logger.warning("--debug-errors: everybody who reaches %s reads models' code", config.host)
    if sys.stderr.isatty():
        print("torch-serving: starting, which takes a moment", file=sys.stderr)
    spin_briefly()
    set_up_gpu_memory()
    with required_modules():
        from torch_serving.server import main as server  # takes a second: torch

    return server.serve(config, listener)


def configure_logging(config: Config) -> None:
    """Log to standard error, warnings and what nobody caught as well."""
    handler = logging.StreamHandler(lines_of(sys.stderr))
    as_json = config.log_format == "json"
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler])
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.root.level))
    logging.captureWarnings(True)
    sys.excepthook = log_uncaught
    threading.excepthook = lambda error: log_uncaught(
        error.exc_type, error.exc_value, error.exc_traceback
    )


def log_uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    if error is not None:
        logging.getLogger("torch_serving").critical("an error", exc_info=(kind, error, trace))
