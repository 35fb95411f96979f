"""What the tests of the console's page share: models, servers, sizes of windows."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.support.answers import Answers, answers_page
from tests.support.browser import Browser
from tests.support.browser_window import SIZES
from tests.support.console_stand_in import StandIn, stand_in
from tests.support.hostile_names import NAMES
from tests.support.process import Process
from tests.support.servables import mlp, scripted

ERRS = 'assert 1 == 2, "<b>not</b> <img src=x onerror=alert(1)> today"\n    return x'


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Function) -> None:
    """Leave the page before the servers of the test end: what it asked them then would fail."""
    if "browser" in item.funcargs:
        item.funcargs["browser"].leave()


@pytest.fixture(scope="session")
def console_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few models that work, one that errs, one that is broken."""
    root = tmp_path_factory.mktemp("console")
    mlp().save(root / "mlp.pt")
    scripted("x: Tensor", "Tensor", "return x").save(root / "echo.pt")
    scripted("x: Tensor", "Tensor", ERRS).save(root / "errs.pt")
    (root / "broken.pt").write_bytes(b"no archive")
    return root


@pytest.fixture(scope="session")
def hostile_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models whose names are hostile."""
    root = tmp_path_factory.mktemp("hostile")
    model = torch.jit.script(torch.nn.Linear(2, 1).eval())
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        model.save(root / name)
    return root


@pytest.fixture(scope="session")
def console(console_models: Path, start_for_all: Callable[..., Process]) -> Process:
    """A server of `console_models`, any of which may be in memory already."""
    return start_for_all(console_models, "--port", "0", "--workers", "2", "--threads", "2")


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Browser]:
    """The browser at the size of a desktop and of a phone; what it logs as an error fails."""
    browser.look(*SIZES[request.param])
    browser.errors()
    yield browser
    assert browser.errors() == []


@pytest.fixture
def figures() -> Iterator[StandIn]:
    """A server of the page whose figures the test makes."""
    with stand_in() as server:
        yield server


@pytest.fixture(scope="session")
def answers_url() -> Iterator[str]:
    """The page on which tests show answers of their own."""
    with answers_page() as url:
        yield url


@pytest.fixture
def answers(page: Browser, answers_url: str) -> Answers:
    return Answers(page, answers_url)
