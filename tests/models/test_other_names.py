"""Other names of models: `--name iris=flowers/iris.pt`."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.fetch import fetch
from tests.support.process import Process
from tests.support.servables import mlp
from torch_serving import Config, Runtime
from torch_serving.errors import StartupError

BODY = {"x": [[0.5] * 16]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    (root / "flowers").mkdir()
    mlp().save(root / "flowers" / "iris.pt")
    mlp().save(root / "mlp.pt")
    return root


@pytest.fixture(scope="module")
def url(root: Path, start_for_module: Callable[..., Process]) -> str:
    names = ["--name", "iris=flowers/iris.pt", "--name", "a/b c=mlp", "--name", "mlp=mlp.pt"]
    return start_for_module(root, "--port", "0", *names).url


@pytest.mark.parametrize("name", ["iris", "a/b c", "mlp", "flowers/iris.pt", "flowers/iris"])
def test_a_model_answers_to_each_of_its_names(url: str, name: str):
    quoted = name.replace(" ", "%20")
    with Client(url) as client:
        for _ in range(2):  # loaded by the first
            assert client.post(name, BODY).status == 200
    for target in (
        f"/v2/models/{quoted}",
        f"/v2/models/{quoted}/ready",
        f"/v2/models/{quoted}/config",
        f"/v2/models/{quoted}/stats",
        f"/models/{quoted}",
    ):
        assert fetch(url, target)[0] == 200, target
    for method, target in (
        ("POST", f"/models/{quoted}/load"),
        ("DELETE", f"/models/{quoted}"),
        ("POST", f"/v2/repository/models/{quoted}/load"),
    ):
        assert fetch(url, target, method=method)[0] == 200, target


@pytest.mark.parametrize(
    "name", ["iris", "a/b c", "mlp", "flowers/iris.pt", "flowers/iris", "./mlp.pt"]
)
@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_answers_of_v2_have_the_name_that_was_asked_for(url: str, name: str, version: str):
    target = f"/v2/models/{name.replace(' ', '%20')}{version}"
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [0.5] * 16}
    body = json.dumps({"inputs": [tensor]}).encode()
    unload = f"/models/{name.replace(' ', '%20')}"
    assert fetch(url, unload, method="DELETE")[0] == 200
    for _ in range(2):  # loaded by the first
        with urllib.request.urlopen(f"{url}{target}/infer", body) as response:
            assert json.load(response)["model_name"] == name
    for action in ("", "/config", "/ready"):
        assert fetch(url, target + action)[2]["name"] == name
    assert fetch(url, f"{target}/stats")[2]["model_stats"][0]["name"] == name


def test_the_list_tells_them(url: str):
    models = {each["identifier"]: each for each in fetch(url, "/models")[2]["models"]}
    assert models.keys() == {"flowers/iris.pt", "mlp.pt"}
    assert models["flowers/iris.pt"]["other_names"] == ["iris"]
    assert models["mlp.pt"]["other_names"] == ["a/b c", "mlp"]


def test_the_only_model_needs_no_identifier(tmp_path: Path):
    mlp().save(tmp_path / "any.pt")
    with Runtime.build(Config(tmp_path, names=("service",))) as runtime:
        assert runtime.infer("service", BODY).shape[0] == 1


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["iris=none.pt"], "--name iris=none.pt: `none.pt`: there is no such file"),
        (["iris=flowers/irs.pt"], "did you mean `flowers/iris.pt`?"),
        (["iris"], "there are 2 models; say which, as in iris=iris.pt"),
        (["mlp.pt=flowers/iris.pt"], "`mlp.pt` is mlp.pt already"),
        (["mlp=flowers/iris.pt"], "`mlp` is mlp.pt already"),
        (["a=mlp.pt", "a=flowers/iris.pt"], "`a` is mlp.pt already"),
        (["../a=mlp.pt"], "--name ../a=mlp.pt: `../a` can't be the name of a model"),
        (["./a=mlp.pt"], "write it as a"),
    ],
)
def test_names_that_are_refused(root: Path, names: list[str], problem: str):
    with pytest.raises(StartupError) as error:
        Runtime.build(Config(root, names=tuple(names)))
    assert problem in str(error.value)
