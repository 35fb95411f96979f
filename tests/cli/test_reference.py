"""docs/configuration.md: its tables are those of the settings, its examples work."""

import json
import re
from pathlib import Path

from torch_serving.cli.reference import TABLE, with_tables
from torch_serving.config import Config
from torch_serving.model_config import ModelConfig
from torch_serving.models.settings import read_model_config
from torch_serving.setting import settings_of

PAGE = Path(__file__).parents[2] / "docs/configuration.md"
TEXT = PAGE.read_text()


def block_of(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found, f"no block of {language}"
    return found[1]


def test_the_tables_are_those_of_the_settings():
    command = "python -m torch_serving.cli.reference docs/configuration.md"
    assert with_tables(TEXT) == TEXT, f"docs/configuration.md is not up to date: {command}"


def test_every_group_has_its_table_once():
    groups = {setting.group for kind in (Config, ModelConfig) for *_, setting in settings_of(kind)}
    assert sorted(group for _, group, _ in TABLE.findall(TEXT)) == sorted(groups)


def test_every_flag_is_there():
    flags = [flag for *_, setting in settings_of(Config) for flag in setting.flags]
    assert [flag for flag in [*flags, "--use-gpu"] if f"`{flag}" not in TEXT] == []


def test_the_example_of_a_toml_file(tmp_path: Path):
    (tmp_path / "resnet.toml").write_text(block_of("toml"))
    (tmp_path / "resnet.warmup.json").write_text(block_of("json"))
    config = read_model_config(tmp_path / "resnet.pt", ModelConfig())
    assert (config.device, config.batch, config.max_batch) == ("cpu", True, 64)
    assert (config.freeze, config.optimize) == (True, False)
    bodies = [json.loads(request.body) for request in config.warmup]
    assert bodies == [{"x": [[0.5, 1.5]]}, {"x": [[0.5, 1.5]]}, {"x": [[1, 2], [3, 4]]}]
