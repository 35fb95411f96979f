"""All that can be set: each setting of `Config` as a flag, a variable and a key of a file."""

from dataclasses import dataclass
from typing import Any

from torch_serving.cli.flag_types import KINDS, one_of, switch
from torch_serving.config import Config
from torch_serving.setting import Setting, settings_of

PREFIX = "TORCH_SERVING_"
SIZE_UNITS = {1 << 30: "GiB", 1 << 20: "MiB", 1 << 10: "KiB", 1: ""}


@dataclass(frozen=True)
class Option:
    """One setting; `name` is its field of `Config`."""

    name: str
    default: Any
    setting: Setting

    @property
    def flag(self) -> str:
        """The long flag, or the name of the positional argument."""
        return self.setting.flags[-1]

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return variable_of(self.flag)

    @property
    def key(self) -> str:
        """Its key in a configuration file."""
        return self.flag.removeprefix("--").replace("_", "-").lower()

    @property
    def is_positional(self) -> bool:
        return not self.flag.startswith("-")

    @property
    def is_repeated(self) -> bool:
        return isinstance(self.default, tuple)

    @property
    def is_switch(self) -> bool:
        return self.setting.kind == "switch"

    def read(self, text: str) -> Any:
        """Return the value that a text stands for. Raises ArgumentTypeError."""
        kind = self.setting.kind
        if isinstance(kind, tuple):
            return one_of(kind, text)
        if kind == "switch":
            return switch(text) != bool(self.default)  # that of a negated flag is the opposite
        return KINDS[kind][0](text)

    def text_of(self, value: Any) -> str:
        """Return the text that stands for a value: the opposite of `read`."""
        kind = self.setting.kind
        if kind == "workers" and value is None:
            return "auto"
        if isinstance(value, bool):
            is_on = value != bool(self.default) if kind == "switch" else value
            return "on" if is_on else "off"
        if kind in ("size", "size_or_zero") or (kind == "share" and value > 1):
            unit = next(unit for unit in SIZE_UNITS if int(value) % unit == 0)
            return f"{int(value) // unit}{SIZE_UNITS[unit]}"
        if isinstance(value, float):
            return str(int(value)) if value.is_integer() else repr(value)
        return str(value)


def variable_of(flag: str) -> str:
    """The environment variable of a long flag, or of MODEL_ROOT."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def all_options() -> list[Option]:
    """All options, in the order of `Config`."""
    options = []
    for name, default, setting in settings_of(Config):
        options.append(Option(name, default, setting))
        options.extend([each for each in SHORT_FORMS if SHORT_FORMS[each] == name])
    return options


USE_GPU = Option(
    "use_gpu",
    False,
    Setting("execution", "switch", ("--use-gpu",), "the same as --device cuda"),
)
NO_CONSOLE = Option(
    "no_console",
    False,
    Setting("network", "switch", ("--no-console",), "the same as --console off"),
)
SHORT_FORMS = {USE_GPU: "device", NO_CONSOLE: "console"}  # and the setting that each stands for
CONFIG_FILE = Option(
    "config_file",
    None,
    Setting(
        "configuration", "file", ("--config",), "read settings from this TOML file: keys are flags"
    ),
)
OPTIONS = all_options()
OWN_OPTIONS = [each for each in OPTIONS if each not in SHORT_FORMS]
