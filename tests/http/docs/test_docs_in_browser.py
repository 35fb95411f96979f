"""The page at /docs in a browser: the first click on "Execute" works, for every model."""

import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import torch

from tests.support.browser import Browser
from tests.support.fetch import fetch
from tests.support.prefix_proxy import served_below
from tests.support.process import Process
from tests.support.servables import SOURCES, mlp, scripted

pytest.importorskip("flask_swagger_ui")

SERVE = '[id$="-inference-serve"]'
INFER = '[id="operations-Open_Inference_Protocol-infer"]'
DEEP = "deep/er/a b,é&+.pt"
WITH_FORWARD = [DEEP, "embedding.pt", "mlp.pt", "str.pt", "two.pt"]
MODELS = [*WITH_FORWARD, "encoder.pt"]


class Embedding(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(10, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table(ids)


class Encoder(torch.nn.Module):
    @torch.jit.export
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    (root / DEEP).parent.mkdir(parents=True)
    scripted(*SOURCES["two.pt"]).save(root / DEEP)
    for name in ("two.pt", "str.pt"):
        scripted(*SOURCES[name]).save(root / name)
    mlp().save(root / "mlp.pt")
    torch.jit.script(Embedding().eval()).save(root / "embedding.pt")
    torch.jit.script(Encoder().eval()).save(root / "encoder.pt")
    return root


@pytest.fixture(scope="module")
def server(root: Path, start_for_module: Callable[..., Process]) -> Process:
    return start_for_module(root, "--port", "0", "--workers", "2")


def open_operation(browser: Browser, url: str, operation: str) -> None:
    browser.open(f"{url}/docs")
    browser.click(f"{operation} .opblock-summary-control")
    browser.one(f"{operation} .execute")


def execute(browser: Browser, operation: str) -> tuple[str, str]:
    """Click once: the status and the address of the request."""
    status = f"{operation} .live-responses-table tbody .response-col_status"
    browser.click(f"{operation} .execute")
    code = browser.wait(lambda: next((each.text for each in browser.all(status)), ""))
    address = browser.text(f"{operation} .request-url .microlight")
    browser.click(f"{operation} .btn-clear")
    browser.wait(lambda: not browser.all(status))
    return code.split()[0], address


@pytest.mark.parametrize(
    ("operation", "parameter", "models"),
    [
        (SERVE, "servable_identifier", MODELS),
        (INFER, "model", WITH_FORWARD),
    ],
)
def test_each_model_has_its_request(
    browser: Browser, server: Process, operation: str, parameter: str, models: list[str]
):
    open_operation(browser, server.url, operation)
    for model in reversed(models):  # the first one is there from the start
        browser.choose(f'{operation} tr[data-param-name="{parameter}"] select', model)
        status, address = execute(browser, operation)
        assert (model, status) == (model, "200"), address
    assert browser.errors() == []


def test_behind_a_proxy_that_has_the_server_below_a_path(browser: Browser, server: Process):
    with served_below("/of%20a/team", server.url) as url:
        open_operation(browser, url, SERVE)
        for model in (DEEP, "embedding.pt"):
            browser.choose(f'{SERVE} tr[data-param-name="servable_identifier"] select', model)
            status, address = execute(browser, SERVE)
            assert status == "200"
            assert address.startswith(f"{url}/serve?")
        assert browser.errors() == []


@pytest.mark.parametrize("models", [MODELS, ["embedding.pt"]], ids=["many", "one"])
def test_the_first_click_of_all(
    browser: Browser, root: Path, tmp_path: Path, models: list[str], start: Callable[..., Process]
):
    """No model is loaded, nothing is chosen, and nobody waits."""
    for model in models:
        (tmp_path / model).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / model, tmp_path / model)
    url = start(tmp_path, "--port", "0").url
    for operation in (SERVE, INFER):
        open_operation(browser, url, operation)
        assert execute(browser, operation)[0] == "200"
    assert browser.errors() == []


def test_an_example_has_its_model(browser: Browser, server: Process):
    for model in MODELS:
        assert fetch(server.url, f"/models/{quote(model)}")[0] == 200
    open_operation(browser, server.url, SERVE)
    methods = dict.fromkeys(WITH_FORWARD, "forward") | {"encoder.pt": "encode"}
    for model, method in methods.items():
        browser.choose(f"{SERVE} .examples-select-element", f"{model}: {method}")
        status, address = execute(browser, SERVE)
        assert (model, status) == (model, "200"), address
        assert f"method={method}" in address
    assert browser.errors() == []


def test_a_model_that_is_loaded_has_a_request_of_its_own(browser: Browser, server: Process):
    """One operation of the Open Inference Protocol for each."""
    assert fetch(server.url, "/models/embedding.pt")[0] == 200
    operation = r'[id="operations-Open_Inference_Protocol-infer\\.embedding\\.pt\\.forward"]'
    open_operation(browser, server.url, operation)
    assert execute(browser, operation)[0] == "200"
