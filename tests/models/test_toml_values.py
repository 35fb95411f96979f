"""Every value that TOML has can stand in a warm-up request."""

import json
from pathlib import Path

import pytest

from torch_serving.model_config import ModelConfig
from torch_serving.models.settings import OPTIONS, read_toml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ x = [[0.5, nan]] }", {"x": [[0.5, "NaN"]]}),
        ("{ x = [inf, +inf, -inf] }", {"x": ["Infinity", "Infinity", "-Infinity"]}),
        ("{ x = { y = [{ z = -nan }] } }", {"x": {"y": [{"z": "NaN"}]}}),
        ("[1, true, 'é']", [1, True, "é"]),
        ("{ day = 2026-11-28 }", {"day": "2026-11-28"}),
        ("{ time = 10:15:00 }", {"time": "10:15:00"}),
    ],
)
def test_a_warm_up_request(tmp_path: Path, text: str, expected: object):
    (tmp_path / "m.toml").write_text(f"warmup = [{text}]\n")
    config = read_toml(tmp_path / "m.toml", None, ModelConfig(), OPTIONS)
    assert json.loads(config.warmup[0].body) == expected
