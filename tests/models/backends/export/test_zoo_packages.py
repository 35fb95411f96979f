"""Compiled packages of all kinds give what their modules give; `make zoo` compiles all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.zoo.check import check_all_forms, check_requests_at_once
from tests.support.zoo.export import save_package
from tests.support.zoo.table import ZOO
from torch_serving import Config, Runtime

OPERATORS = "tests.support.zoo.operators"
ALWAYS = ("several_results",)  # compiled by all who run the tests
COMPILABLE = [name for name in sorted(ZOO) if not ZOO[name].no_package]
NAMES = [
    name if name in ALWAYS else pytest.param(name, marks=pytest.mark.zoo) for name in COMPILABLE
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def runtime(root: Path) -> Iterator[Runtime]:
    config = Config(model_root=str(root), threads=2, model_capacity=10, imports=(OPERATORS,))
    with Runtime.build(config) as runtime:
        yield runtime


@pytest.mark.parametrize("name", NAMES)
def test_every_form_and_size_is_equal_to_eager(runtime: Runtime, root: Path, name: str):
    model = ZOO[name]
    save_package(model, root / f"{name}.pt2")
    check_all_forms(runtime, model, f"{name}.pt2", model.tolerance)
    if not (model.draws or model.counts):
        check_requests_at_once(runtime, model, f"{name}.pt2", count=8)
