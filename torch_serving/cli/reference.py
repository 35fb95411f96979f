"""The tables of docs/configuration.md, made from the fields of `Config` and `ModelConfig`.

`python -m torch_serving.cli.reference docs/configuration.md` writes them anew, each between
`<!-- table: GROUP -->` and `<!-- end -->`, and the files of `torch_serving/cli/shell`.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch_serving.cli.completion import SHELL
from torch_serving.cli.flags import default_of, metavar_of
from torch_serving.cli.options import OWN_OPTIONS, Option
from torch_serving.cli.shell_files import write_shell_files
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
    rows = (flag_row(each) for each in OWN_OPTIONS if each.setting.group == group)
    return table(("flag", "variable", "default", "meaning"), rows)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def flag_row(option: Option) -> tuple[str, ...]:
    *short, long = option.setting.flags
    spellings = [*short, f"{long} {metavar_of(option)}".rstrip()]
    flag = ", ".join(f"`{spelling}`" for spelling in spellings)
    default = default_of(option) or "off"
    if default not in (option.setting.default_text, "none", "off"):
        default = f"`{default}`"
    return flag, f"`{option.variable}`", default, meaning_of(option.setting)


def key_row(name: str, value: Any, setting: Setting) -> tuple[str, ...]:
    default = setting.default_text or ("`false`" if value is False else "none")
    key = (setting.flags or (name,))[0]
    return f"`{key}`", TYPES[key][1], default, meaning_of(setting)


def meaning_of(setting: Setting) -> str:
    meaning = f"{setting.meaning[0].upper()}{setting.meaning[1:]}."
    return f"{meaning} {setting.more}" if setting.more else meaning


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_tables(path.read_text()))
    write_shell_files(SHELL)
