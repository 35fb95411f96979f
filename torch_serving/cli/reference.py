"""The tables of docs/configuration.md, made from the fields of `Config` and `ModelConfig`.

`python -m torch_serving.cli.reference docs/configuration.md` writes them anew, each between
`<!-- table: GROUP -->` and `<!-- end -->`.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch_serving.cli.flag_types import KINDS
from torch_serving.cli.flags import default_of
from torch_serving.cli.settings import variable_of
from torch_serving.config import Config
from torch_serving.model_config import ModelConfig
from torch_serving.models.settings import TYPES
from torch_serving.setting import Setting, settings_of

TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """Return a Markdown text whose tables are as the settings are now."""
    return TABLE.sub(lambda found: f"{found[1]}{table_of(found[2])}{found[3]}", text)


def table_of(group: str) -> str:
    if group == "model":
        head = ("key", "value", "default", "meaning")
        return table(head, (key_row(*each) for each in settings_of(ModelConfig)))
    rows = (flag_row(*each) for each in settings_of(Config) if each[2].group == group)
    return table(("flag", "variable", "default", "meaning"), rows)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def flag_row(name: str, value: Any, setting: Setting) -> tuple[str, ...]:
    *short, long = setting.flags
    spellings = [*short, f"{long} {value_of(name, setting)}".rstrip()]
    flag = ", ".join(f"`{spelling}`" for spelling in spellings)
    default = default_of(value, setting) or "off"
    if default not in (setting.default_text, "none", "off"):
        default = f"`{default}`"
    return flag, f"`{variable_of(long)}`", default, meaning_of(setting)


def value_of(name: str, setting: Setting) -> str:
    """What stands after a flag."""
    if isinstance(setting.kind, tuple):
        return f"{{{','.join(setting.kind)}}}"
    if setting.kind in ("switch", "folder"):
        return ""
    return KINDS[setting.kind][1] or name.upper()


def key_row(name: str, value: Any, setting: Setting) -> tuple[str, ...]:
    default = setting.default_text or ("`false`" if value is False else "none")
    return f"`{name}`", TYPES[name][1], default, meaning_of(setting)


def meaning_of(setting: Setting) -> str:
    meaning = f"{setting.meaning[0].upper()}{setting.meaning[1:]}."
    return f"{meaning} {setting.more}" if setting.more else meaning


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_tables(path.read_text()))
