"""From the form to the drawing: an image that is sent has its masks and boxes, and comes again."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.axe import violations
from tests.support.browser import Browser
from tests.support.pictures import Image
from tests.support.process import Process
from tests.support.try_page import TryPage


class Finder(torch.nn.Module):
    """Four classes of each pixel, and a box."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = torch.nn.Conv2d(3, 4, 1)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        boxes = torch.tensor([[5.0, 5.0, 40.0, 30.0]])
        return {"masks": self.classes(image), "boxes": boxes, "scores": torch.tensor([0.75])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("found")
    torch.jit.script(Finder().eval()).save(folder / "finder.pt")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path, start_for_module: Callable[..., Process]) -> Process:
    return start_for_module(folder, "--port", "0")


def test_what_was_found_lies_over_the_image(
    page: Browser, server: Process, folder: Path, tmp_path: Path
):
    Image.new("RGB", (96, 64), "red").save(tmp_path / "red.png")
    form = TryPage(page, server.url)
    form.open("finder.pt")
    form.give(tmp_path / "red.png")
    page.sees("96 × 64 pixels", ".try form")
    assert form.send().status == 200
    page.one(".answer canvas")
    said = [each.get_attribute("aria-label") for each in page.all(".answer canvas")]
    assert said[0] == "The picture that was sent, and over it boxes; the table names them: 1"
    assert said[1].startswith("The picture that was sent, and over it ")
    assert violations(page) == []
    form.button("Zeros")
    page.click(".answer > details > summary")
    page.click(".history button[aria-label^='Reuse inputs']")
    page.sees("96 × 64 pixels", ".try form")
    assert form.send().status == 200
    page.wait(lambda: len(page.all(".history > li")) == 2)
    page.click(".history > li:nth-child(2) button[aria-label^='Compare']")
    page.sees("The same result", ".answer")
