"""docs/configuration.md: its tables are those of the settings, its examples work."""

import json
import re
from pathlib import Path

from torch_serving.cli.reference import TABLE, with_tables
from torch_serving.cli.settings import parse
from torch_serving.config import Config
from torch_serving.model_config import ModelConfig
from torch_serving.models.settings import read_model_config
from torch_serving.setting import settings_of

PAGE = Path(__file__).parents[2] / "docs/configuration.md"
TEXT = PAGE.read_text()


def blocks_of(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_tables_are_those_of_the_settings():
    command = "python -m torch_serving.cli.reference docs/configuration.md"
    assert with_tables(TEXT) == TEXT, f"docs/configuration.md is not up to date: {command}"


def test_every_group_has_its_table_once():
    groups = {setting.group for kind in (Config, ModelConfig) for *_, setting in settings_of(kind)}
    assert sorted(group for _, group, _ in TABLE.findall(TEXT)) == sorted(groups)


def test_every_flag_is_there():
    flags = [flag for *_, setting in settings_of(Config) for flag in setting.flags]
    assert [flag for flag in [*flags, "--use-gpu", "--no-console"] if f"`{flag}" not in TEXT] == []


def test_the_example_of_a_configuration_file(tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "server.toml").write_text(blocks_of("toml")[0])
    assert parse(["--config", str(tmp_path / "server.toml")], {}) == Config(
        model_root=tmp_path / "models",
        host="0.0.0.0",
        max_body_bytes=64 << 20,
        watch=True,
        preload=("resnet.pt", "text/*"),
    )


def test_the_example_of_a_toml_file(tmp_path: Path):
    (tmp_path / "resnet.toml").write_text(blocks_of("toml")[1])
    (tmp_path / "resnet.warmup.json").write_text(blocks_of("json")[0])
    config = read_model_config(tmp_path / "resnet.pt", ModelConfig())
    assert (config.device, config.batch, config.max_batch) == ("cpu", True, 64)
    assert (config.freeze, config.optimize) == (True, False)
    bodies = [json.loads(request.body) for request in config.warmup]
    assert bodies == [{"x": [[0.5, 1.5]]}, {"x": [[0.5, 1.5]]}, {"x": [[1, 2], [3, 4]]}]
