"""Try: tensors as tables, images and files."""

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.browser import Browser
from tests.support.exported_programs import save_program
from tests.support.process import Process
from tests.support.servables import mlp, scripted
from tests.support.try_page import TryPage

Image = pytest.importorskip("PIL.Image")
safetensors = pytest.importorskip("safetensors.numpy")

PIXELS = np.random.default_rng(3).integers(0, 256, (12, 20, 3), np.uint8)
CONTROL_ENTER = "\ue009\ue007"  # as in Selenium's Keys
DROP = """
const [element, name, type, base64, event] = arguments;
const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], name, {type}));
const options = {bubbles: true, cancelable: true};
element.dispatchEvent(event === "drop" ? new DragEvent("drop", {...options, dataTransfer: data})
    : new ClipboardEvent("paste", {...options, clipboardData: data}));
"""


class Colours(torch.nn.Module):
    """Takes images of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 2, 3)

    def forward(self, image: torch.Tensor) -> tuple[list[int], torch.Tensor]:
        self.layer(image)
        return image.shape, image


class Large(torch.nn.Module):
    """Wants images of one size."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 1, 3)
        self.last = torch.nn.Linear(222 * 222, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.last(self.layer(image).flatten(1))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]) -> str:
    root = tmp_path_factory.mktemp("tensors")
    mlp().save(root / "mlp.pt")
    for name, model in (("colours", Colours()), ("large", Large())):
        torch.jit.script(model.eval()).save(root / f"{name}.pt")
    declared = 'input.image = { data_type = "float32", shape = [-1, 3, 224, 224] }\n'
    (root / "large.toml").write_text(declared)
    scripted("x: Tensor, y: Tensor", "Tensor", "return x").save(root / "two.pt")
    unknown = "assert x.size(2) == 12\n    return x"
    scripted("x: Tensor", "Tensor", unknown).save(root / "unknown.pt")
    scripted("s: str", "str", "return s").save(root / "str.pt")
    save_program("two", root)
    return start_for_module(root, "--port", "0", "--threads", "2").url


@pytest.fixture
def view(page: Browser, url: str) -> TryPage:
    return TryPage(page, url)


def test_tables(view: TryPage):
    view.open("mlp.pt")
    view.button("+ row")
    view.write("x row 2 column 3", "-2.5")
    answer = view.send()
    assert answer.body["x"]["shape"] == [2, 16]
    assert answer.body["x"]["value"] == [0] * 18 + [-2.5] + [0] * 13
    assert answer.result["shape"] == [2, 4]
    view.write("x row 2 column 3", "a")
    assert view.send().status == 400
    assert "expected a number" in view.problems()[0]
    assert view.labelled("x row 2 column 3").get_attribute("aria-invalid") == "true"
    view.button("− row")
    assert view.send().body["x"]["shape"] == [1, 16]
    view.browser.errors()


def test_sizes_that_a_program_does_not_have(view: TryPage):
    view.open("two.pt2")
    ids, _ = view.browser.all(".try fieldset")
    assert ids.text.startswith("ids Tensor int64 [")
    view.button("Random")
    answer = view.send()
    assert answer.status == 200
    assert all(isinstance(each, int) for each in answer.body["ids"]["value"])
    for _ in range(2):
        view.button("+ column")
    buttons = view.browser.all(".try fieldset button")
    assert not next(each for each in buttons if each.text == "+ column").is_enabled()  # 5 at most


def test_values_at_a_click_and_data_types(view: TryPage):
    view.open("mlp.pt")
    view.button("Random")
    assert len(set(view.send().body["x"]["value"])) > 8
    view.button("Zeros")
    assert set(view.send().body["x"]["value"]) == {0}
    view.pick("Data type of x", "int64")
    assert view.send().body["x"]["data_type"] == "int64"
    view.button("Example")
    assert view.send().body["x"]["data_type"] == "float32"
    view.browser.click(".try fieldset [aria-pressed]")
    view.write("x", "[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]")
    assert view.send().body["x"] == [[*range(1, 17)]]
    view.browser.click(".try fieldset [aria-pressed]")
    assert view.labelled("x row 1 column 16").get_attribute("value") == "16"
    view.browser.errors()


def test_large_tensors_are_told_in_few_words(view: TryPage):
    view.open("large.pt")
    assert "1 × 3 × 224 × 224 float32: 0, 0" in view.browser.text(".try fieldset")
    assert len(view.browser.all(".try form input")) < 10
    view.button("Random")
    answer = view.send()
    assert answer.status == 200
    assert len(answer.body["image"]["value"]) == 3 * 224 * 224


def png(folder: Path, name: str = "a.png") -> Path:
    Image.fromarray(PIXELS).save(folder / name)
    return folder / name


@pytest.mark.parametrize("keys", ["\n", CONTROL_ENTER], ids=["Enter", "Ctrl+Enter"])
def test_images_as_they_are(view: TryPage, tmp_path: Path, keys: str):
    view.open("colours.pt")
    view.give(png(tmp_path))
    view.browser.sees("20 × 12 pixels", ".try fieldset")
    shape, image = view.send().result
    assert [each["value"] for each in shape] == [1, 3, 12, 20]
    expected = PIXELS.transpose(2, 0, 1).astype("float32") / 255
    assert np.array_equal(np.array(image["value"], "float32").reshape(3, 12, 20), expected)
    shape, _ = view.answer_after(lambda: view.write("Scale to", f"8 × 6{keys}")).result
    view.browser.sees("8 × 6 pixels", ".try fieldset")
    assert [each["value"] for each in shape] == [1, 3, 6, 8]


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_images_that_are_dropped_or_pasted(view: TryPage, tmp_path: Path, event: str):
    view.open("large.pt")
    data = base64.b64encode(png(tmp_path).read_bytes()).decode()
    view.browser.script(DROP, view.browser.one(".try form"), "a.png", "image/png", data, event)
    view.browser.sees("224 × 224 pixels", ".try fieldset")  # the one size that works
    answer = view.send()
    assert answer.status == 200
    assert answer.body["image"].items() >= {"type": "image", "mode": "RGB", "batch": True}.items()


def test_pictures_of_the_camera(view: TryPage):
    view.open("colours.pt")
    view.button("Camera…")
    video = "return document.querySelector('dialog video')?.videoWidth > 0"
    view.browser.wait(lambda: view.browser.script(video))
    view.browser.click("dialog .primary")
    view.browser.sees("pixels", ".try fieldset")
    assert view.send().status == 200


def test_images_where_no_shape_is_known(view: TryPage, tmp_path: Path):
    view.open("unknown.pt")
    view.give(png(tmp_path))
    view.browser.sees("20 × 12 pixels", ".try fieldset")
    assert view.send().result["shape"] == [1, 3, 12, 20]


@pytest.mark.parametrize("data_type", ["float32", "int64", "uint8", "bool", "float64"])
def test_files_of_numpy(view: TryPage, tmp_path: Path, data_type: str):
    array = np.arange(6).reshape(2, 3).astype(data_type)
    if data_type == "int64":
        array[0, 0] = 2**63 - 1
    if data_type == "float32":
        array[0, 0] = np.nan
    np.save(tmp_path / "x.npy", array)
    view.open("two.pt")
    view.give(tmp_path / "x.npy")
    view.browser.wait(lambda: "x row 2" in view.browser.attribute(".try .cells", "innerHTML"))
    answer = view.send()
    assert (answer.result["shape"], answer.result["data_type"]) == ([2, 3], data_type)
    found = np.array(answer.result["value"], data_type).reshape(2, 3)
    assert np.array_equal(found, array, equal_nan=data_type == "float32")


def test_files_of_safetensors_and_others(view: TryPage, tmp_path: Path):
    arrays = {"x": np.array([[1.5, 2]], "float32"), "y": np.array([3], "int64")}
    (tmp_path / "all.safetensors").write_bytes(safetensors.save(arrays))
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 and so on, for a while")
    view.open("two.pt")
    inputs = view.browser.all('.try [type="file"]')
    for each in inputs:
        each.send_keys(str(tmp_path / "all.safetensors"))
    view.browser.wait(lambda: len(view.browser.all(".try .cells input")) == 3)
    answer = view.send()
    assert (answer.body["x"]["value"], answer.body["y"]["value"]) == ([1.5, 2], [3])
    assert answer.body["y"]["data_type"] == "int64"
    view.browser.all('.try [type="file"]')[0].send_keys(str(tmp_path / "a.pdf"))
    view.browser.wait(view.problems)
    assert ".safetensors" in view.problems()[0]


@pytest.mark.parametrize(("data", "text"), [("é\n".encode(), "é\n"), (b"\xff\0", "/wA=")])
def test_files_as_strings(view: TryPage, data: bytes, text: str):
    view.open("str.pt")
    encoded = base64.b64encode(data).decode()
    area = view.labelled("s")
    view.browser.script(DROP, area, "a.bin", "", encoded, "drop")
    assert view.send().result["value"] == text
    assert view.labelled("s").get_attribute("value") == text
