"""Pictures of the console for docs/: `make screenshots` writes them there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.browser import Browser
from tests.support.console_stand_in import StandIn, model, numbers
from tests.support.process import Process
from tests.support.try_page import TryPage

WIDTH, HEIGHT = 1180, 760
MOST_BYTES = 150_000
SCHEMES = ["light", "dark"]
COLORS = {
    "sky": (140, 190, 235),
    "sun": (250, 200, 80),
    "hills": (60, 110, 80),
    "sea": (40, 80, 150),
}
CARD = {"device": "cuda:0", "version": "1", "weights_bytes": 1, "runs": "", "workers": 2}


class Scenery(torch.nn.Module):
    """Which of four colours is the nearest one of each pixel."""

    def __init__(self) -> None:
        super().__init__()
        colors = torch.tensor([*COLORS.values()]) / 255
        self.nearest = torch.nn.Conv2d(3, len(COLORS), 1)
        self.nearest.weight.data = 2 * colors[:, :, None, None]
        self.nearest.bias.data = -colors.square().sum(1)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        layers = self.nearest(image)
        shares = (30 * layers).softmax(1).mean((0, 2, 3))
        return layers, shares, ["sky", "sun", "hills", "sea"]


@pytest.fixture(scope="module")
def scenery(
    tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]
) -> Process:
    """A server of a model that finds what is in a picture."""
    root = tmp_path_factory.mktemp("scenery")
    (root / "image").mkdir()
    torch.jit.script(Scenery().eval()).save(root / "image/scenery.pt")
    return start_for_module(root, "--port", "0")


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of the sun over the sea."""
    image = pytest.importorskip("PIL.Image").new("RGB", (240, 120), COLORS["sky"])
    pen = pytest.importorskip("PIL.ImageDraw").Draw(image)
    pen.ellipse((150, 12, 190, 52), COLORS["sun"])
    pen.polygon([(0, 90), (60, 35), (110, 75), (160, 55), (240, 90)], COLORS["hills"])
    pen.rectangle((0, 85, 240, 120), COLORS["sea"])
    path = tmp_path_factory.mktemp("view") / "view.png"
    image.save(path)
    return path


@pytest.fixture
def shoot(browser: Browser, tmp_path: Path) -> Callable[[str, str], None]:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))

    def save(name: str, scheme: str) -> None:
        path = folder / f"console-{name}-{scheme}.png"
        browser.driver.save_screenshot(str(path))
        assert path.stat().st_size < MOST_BYTES

    return save


def busy(figures: StandIn) -> None:
    """A server at work."""
    figures.models = [
        model("image/resnet50.pt2", kind="package", bytes=102e6, loaded=[CARD], state="loaded"),
        model("image/segment.pt", bytes=244e6),
        model("mlp.pt", "loaded", bytes=27e3),
        model("tabular/churn.pt", "loaded", bytes=1.8e6, warning="the new file is no archive"),
        model("text/encoder.pt2", kind="exported program", bytes=438e6, loaded=[CARD])
        | {"state": "loaded"},
        model("text/translate.pt", bytes=1.2e9),
        model("upload.pt", "invalid", bytes=0, problem="an empty file"),
    ]
    counted = ("image/resnet50.pt2", "mlp.pt", "tabular/churn.pt", "text/encoder.pt2")
    figures.numbers = {name: numbers({}) for name in counted}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_models(browser: Browser, figures: StandIn, scheme: str, shoot: Callable[[str, str], None]):
    busy(figures)
    browser.look(WIDTH, HEIGHT, scheme)
    browser.open(f"{figures.url}/")
    browser.sees("7 models")
    browser.click("details summary")
    browser.sees("37 %")
    latencies = [{7: 310, 8: 80, 9: 3}, {3: 1700, 4: 300, 7: 9}, {4: 420, 5: 61}, {8: 160, 9: 70}]
    figures.push({n: numbers(each) for n, each in zip(figures.numbers, latencies, strict=True)})
    browser.sees("µs", ".models")
    browser.script("document.activeElement.blur()")
    shoot("models", scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_live(browser: Browser, figures: StandIn, scheme: str, shoot: Callable[[str, str], None]):
    browser.look(WIDTH, 880, scheme)
    browser.open(f"{figures.url}/#/live")
    browser.sees("cuda:0")
    shoot("live", scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_try(
    browser: Browser, scenery: Process, view: Path, scheme: str, shoot: Callable[[str, str], None]
):
    browser.look(WIDTH, 800, scheme)
    form = TryPage(browser, scenery.url)
    form.open("image/scenery.pt")
    form.give(view)
    browser.sees("240 × 120 pixels", ".try form")
    for requests in (1, 2):  # the first loads the model
        form.send()
        browser.wait(lambda n=requests: len(browser.all(".history li")) == n)
    browser.one(".answer canvas")
    browser.script("document.activeElement.blur(); scrollTo(0, 0)")
    shoot("try", scheme)
