"""What settings ask for: to be printed, to be checked, or a server until a signal says stop."""

import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import NoReturn

from torch_serving.cli.config_file import as_toml
from torch_serving.cli.requirements import required_modules
from torch_serving.cli.settings import Settings
from torch_serving.config import Config
from torch_serving.http.reach import is_loopback
from torch_serving.server.descriptors import check_descriptors
from torch_serving.server.listener import bound
from torch_serving.server.tuning import set_up_gpu_memory, spin_briefly
from torch_serving.telemetry.log_lines import JsonFormatter, TextFormatter
from torch_serving.telemetry.output import drain_output, lines_of, redirect_output


def act_on(settings: Settings) -> int:
    """Do what settings ask for; return the exit code for `end`."""
    if settings.print_config:
        print_config(settings)
    if settings.check:
        return check(settings)
    return serve(settings.config, settings.warnings)


def print_config(settings: Settings) -> NoReturn:
    """Print the configuration as a file for `--config`, and end the process."""
    print("\n".join(as_toml(settings.config, settings.given)))
    for warning in settings.warnings:
        print_notice(warning)
    sys.exit(0)


def check(settings: Settings) -> int:
    """Tell what is wrong; return 0 for nothing, 1 for a model, 2 for a setting."""
    with required_modules():
        from torch_serving.server.check import check as find_problems
    for warning in settings.warnings:
        print_notice(warning)
    code = find_problems(settings.config, print_notice)
    if code == 0:
        print("all is well", flush=True)
    return code


def print_notice(problem: str) -> None:
    print(f"torch-serving: {problem}", file=sys.stderr, flush=True)


def serve(config: Config, warnings: Sequence[str] = ()) -> int:
    """Serve until a signal says stop; return the exit code for `end`. `warnings` are logged."""
    check_descriptors(config)
    redirect_output(config.log_format == "json")
    configure_logging(config)
    logger = logging.getLogger("torch_serving")
    for warning in warnings:
        logger.warning("%s", warning)
    with bound(config) as listener:
        return serve_on(listener, config, logger)


def end(code: int) -> NoReturn:
    """End a process that has served: torch must not be torn down under threads that it may have."""
    logging.shutdown()
    drain_output()
    os._exit(code)


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
