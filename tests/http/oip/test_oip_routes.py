"""Which model and which action a path of the Open Inference Protocol names."""

import pytest

from torch_serving.errors import (
    NotFound,
)
from torch_serving.http.oip.endpoint import ModelAction, model_action


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("a.pt", ModelAction("a.pt", "")),
        ("a.pt/infer", ModelAction("a.pt", "infer")),
        ("team/a.pt/infer", ModelAction("team/a.pt", "infer")),
        ("team/a.pt", ModelAction("team/a.pt", "")),
        ("a.pt/versions/1", ModelAction("a.pt", "")),
        ("team/a.pt/versions/1/stats", ModelAction("team/a.pt", "stats")),
        ("infer/infer", ModelAction("infer", "infer")),
        ("infer", ModelAction("infer", "")),
        ("ready", ModelAction("ready", "")),
        ("a/config/config", ModelAction("a/config", "config")),
        ("versions/1", ModelAction("versions/1", "")),
        ("a/versions/1/versions/1/ready", ModelAction("a/versions/1", "ready")),
    ],
)
def test_routes_are_read_from_their_end(path: str, route: ModelAction):
    assert model_action(path) == route


@pytest.mark.parametrize("path", ["a.pt/versions/2", "a/versions/2/infer", "a/versions//infer"])
def test_other_versions_than_the_first(path: str):
    with pytest.raises(NotFound, match="models have version 1"):
        model_action(path)
