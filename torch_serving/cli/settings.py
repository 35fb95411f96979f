"""Flags, TORCH_SERVING_* variables and a configuration file -> Config."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch_serving.cli.config_file import layer_of_file
from torch_serving.cli.environment import PORT, layer_of_environment, misspelt_variables
from torch_serving.cli.flags import NOT_GIVEN, Parser, build_parser
from torch_serving.cli.layers import Given, Layer, merge
from torch_serving.cli.near_path import near_path
from torch_serving.cli.options import CONFIG_FILE, NO_CONSOLE, OPTIONS, USE_GPU
from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.http.reach import is_loopback
from torch_serving.models.remote.urls import parse as parse_url


class Settings(NamedTuple):
    """A configuration, what of it was given and where, and what to do with it."""

    config: Config
    given: Layer
    warnings: list[str]
    print_config: bool = False
    check: bool = False


def parse(argv: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Return what is set. Ends the process if that is wrong."""
    return read_settings(argv, environment).config


def read_settings(argv: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read all settings: flags win over variables, and those over the file.

    Ends the process if they are wrong.
    """
    parser = build_parser()
    arguments = vars(parser.read(argv))
    print_config, only_check = (arguments.pop(name, False) for name in ("print_config", "check"))
    try:
        layers = [layer_of_environment(environment), layer_of_flags(arguments)]
        given = merge(layers)
        if file := given.pop(CONFIG_FILE.name, None):
            given = merge([layer_of_file(file.value), *layers])
            del given[CONFIG_FILE.name]
    except StartupError as error:
        parser.error(str(error))
    choose_gpu(given)
    choose_console(given)
    config = Config(**{name: each.value for name, each in given.items()})
    check(parser, config)
    check_uds(parser, config, given)
    return Settings(config, given, misspelt_variables(environment), print_config, only_check)


def layer_of_flags(arguments: Mapping[str, object]) -> Layer:
    flags = {option.name: option.flag for option in [CONFIG_FILE, *OPTIONS]}
    return {
        name: Given(tuple(value) if isinstance(value, list) else value, flags[name])
        for name, value in arguments.items()
        if value is not NOT_GIVEN
    }


def choose_gpu(given: Layer) -> None:
    """Replace `--use-gpu` by the device that it stands for."""
    use_gpu = given.pop(USE_GPU.name, None)
    device = given.get("device")
    if use_gpu and use_gpu.value and (not device or device.value in ("cpu", Config.device)):
        given["device"] = Given("cuda", use_gpu.origin)


def choose_console(given: Layer) -> None:
    """Replace `--no-console` by what it stands for."""
    no_console = given.pop(NO_CONSOLE.name, None)
    if no_console and no_console.value:
        given["console"] = Given("off", no_console.origin)


def check(parser: Parser, config: Config) -> None:
    """End the process for settings that do not go together."""
    if isinstance(config.model_root, str):
        check_url(parser, config.model_root)
    elif not (config.model_root.is_dir() or config.model_root.is_file()):
        near = near_path(config.model_root)
        parser.error(f"MODEL_ROOT: no such folder or file: {config.model_root}{near}")
    if config.server == "meinheld" and not (config.behind_proxy or is_loopback(config.host)):
        parser.error(
            f"meinheld on {config.host}: it crashes on a malformed chunked request, so beyond this "
            "machine it must stand behind a proxy; say --behind-proxy if it does"
        )
    if config.tls_cert and not config.tls_key:
        parser.error("--tls-cert needs --tls-key, the file of its private key")
    if config.tls_key and not config.tls_cert:
        parser.error("--tls-key needs --tls-cert, the file of its certificate")
    if config.lifeline_fd is not None and config.server == "meinheld":
        parser.error("meinheld has no parent that could watch it; leave --lifeline-fd out")
    if config.tls_cert and config.server == "meinheld":
        parser.error("meinheld does not speak HTTPS; leave --tls-cert out")
    if config.console == "on" and config.server == "meinheld":
        parser.error("meinheld has no console; leave --console out")


def check_url(parser: Parser, url: str) -> None:
    """End the process for a remote root that can't be one."""
    try:
        parse_url(url)
    except StartupError as error:
        parser.error(str(error))


def check_uds(parser: Parser, config: Config, given: Layer) -> None:
    """End the process if a Unix socket was asked for, and another address or server, too."""
    if not config.uds:
        return
    for name in ("host", "port"):
        if name in given and given[name].origin != PORT:  # platforms set that one for all
            parser.error(f"--uds takes the place of host and port; leave {given[name].origin} out")
    if config.server == "meinheld":
        parser.error("meinheld does not listen on Unix sockets; leave --uds out")
