"""Try: what goes wrong on the way leaves nothing behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.support.browser import Browser
from tests.support.process import Process
from tests.support.servables import scripted
from tests.support.try_page import SEND, TryPage

ANSWER_ONCE = """
const ask = window.fetch;
window.fetch = async (url, options) => {
  if (options?.method !== "POST") return ask(url, options);
  window.fetch = ask;
  return new Response(arguments[0], {status: 422});
};
"""
HOLD_FILE = """
const [name] = arguments;
const read = File.prototype.arrayBuffer;
File.prototype.arrayBuffer = async function () {
  if (this.name !== name) return read.call(this);
  await new Promise((go) => (window.go = go));
  const data = await read.call(this);
  setTimeout(() => (window.isRead = true)); // what waits for it goes on before
  return data;
};
"""
DROP_TEXT = """
const [element, name, text] = arguments;
const dataTransfer = new DataTransfer();
dataTransfer.items.add(new File([text], name));
const options = {bubbles: true, cancelable: true, dataTransfer};
element.dispatchEvent(new DragEvent("drop", options));
"""
NO_BITMAP = """
window.stopped = 0;
const {stop} = MediaStreamTrack.prototype;
MediaStreamTrack.prototype.stop = function () {
  stopped++;
  stop.call(this);
};
window.createImageBitmap = async () => {
  throw new Error("no frame yet");
};
"""
ALL_IMAGES = "return [...document.images].every((each) => each.complete)"
ODD = [
    '{"x":{"type":"tensor","shape":3,"value":[1],"data_type":"int64"}}',
    '{"x":{"type":"tensor","shape":[1],"value":[1],"data_type":5}}',
    '{"x":{"type":"tensor","shape":["a"],"value":[1]}}',
    '{"x":{"type":"tensor"}}',
    '{"x":{"type":"image"}}',
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]) -> str:
    root = tmp_path_factory.mktemp("trouble")
    scripted("n: int", "int", "return n").save(root / "n.pt")
    scripted("s: str", "str", "return s").save(root / "s.pt")
    scripted("x: Tensor, constructor: int = 3", "Tensor", "return x").save(root / "x.pt")
    unknown = "assert x.size(2) == 12\n    return x"
    scripted("x: Tensor", "Tensor", unknown).save(root / "image.pt")
    return start_for_module(root, "--port", "0", "--threads", "2").url


@pytest.fixture
def view(page: Browser, url: str) -> TryPage:
    return TryPage(page, url)


@contextmanager
def blocked(browser: Browser, pattern: str) -> Iterator[None]:
    """URLs that can't be reached meanwhile."""
    command = browser.driver.execute_cdp_cmd
    command("Network.enable", {})
    command("Network.setBlockedURLs", {"urls": [pattern]})
    try:
        yield
    finally:
        command("Network.setBlockedURLs", {"urls": []})


def fail_to_reuse(view: TryPage) -> None:
    """Want inputs of a model again that can't be loaded now."""
    view.open("n.pt")
    view.write("n", "5")
    view.send()
    view.open("x.pt")
    view.browser.click(".answer > details > summary")
    with blocked(view.browser, "*/models/n.pt"):
        view.browser.click(".history button[aria-label^='Reuse inputs']")
        view.browser.sees("The model was not loaded", ".try")
    view.browser.errors()


def test_what_could_not_be_loaded_is_tried_again_with_its_inputs(view: TryPage):
    fail_to_reuse(view)
    view.button("Try again")
    view.browser.wait(lambda: view.is_ready("n.pt"))
    assert view.send().body == {"n": 5}
    assert "not loaded" not in view.browser.text(".try")


def test_a_request_is_kept_while_another_view_is_shown(view: TryPage):
    view.open("n.pt")
    view.write("n", "7")
    view.browser.click("nav a[href='#/models']")
    view.browser.sees("Models", "h1")
    view.browser.click("nav a[href='#/try']")
    view.browser.wait(lambda: view.is_ready("n.pt"))
    assert view.send().body["n"] == 7


def test_inputs_of_one_model_are_not_those_of_the_next(view: TryPage):
    fail_to_reuse(view)
    view.open("x.pt")
    assert list(view.send().body) == ["x"]


@pytest.mark.parametrize("document", ['{"detail":[{"loc":["x"]}]}', '{"detail":5}', "[]", "<p>"])
def test_an_error_of_another_server_is_shown_and_answers_go_on(view: TryPage, document: str):
    view.open("n.pt")
    view.browser.script(ANSWER_ONCE, document)
    view.button("Send")
    view.browser.sees("422", ".answer .badge")
    view.browser.wait(lambda: view.browser.one(".try button.primary").is_enabled())
    view.button("Send")
    view.browser.sees("200", ".answer .badge")


def test_methods_and_arguments_with_names_that_objects_have(view: TryPage):
    view.open("x.pt", "toString")
    assert view.labelled("Method").get_attribute("value") == "forward"
    answer = view.send()
    assert (answer.status, list(answer.body)) == (200, ["x"])


@pytest.mark.parametrize("body", ODD)
def test_envelopes_that_are_none_stay_as_they_are(view: TryPage, body: str):
    view.open("x.pt")
    view.browser.click(".try form summary")
    view.browser.one(".try form pre code")
    view.button("Edit JSON")
    view.write("The body as JSON", body)
    view.browser.sees("curl", ".try form pre")
    view.button("Edit JSON")
    view.browser.wait(lambda: view.browser.script(ALL_IMAGES))
    view.button("Edit JSON")
    assert view.labelled("The body as JSON").get_attribute("value") == body
    view.browser.errors()  # of an image without data


def test_a_file_that_is_slow_does_not_overtake_the_next(view: TryPage, tmp_path: Path):
    for name, value in (("slow", 7), ("fast", 8)):
        np.save(tmp_path / f"{name}.npy", np.array([[value]]))
    view.open("x.pt")
    view.browser.script(HOLD_FILE, "slow.npy")
    view.give(tmp_path / "slow.npy")
    view.browser.wait(lambda: view.browser.script("return Boolean(window.go)"))
    view.give(tmp_path / "fast.npy")
    view.browser.wait(lambda: view.send().body["x"]["value"] == [8])
    view.browser.script("go()")
    view.browser.wait(lambda: view.browser.script("return window.isRead"))
    assert view.send().body["x"]["value"] == [8]


def test_a_text_that_is_slow_does_not_overtake_the_next(view: TryPage):
    view.open("s.pt")
    view.browser.script(HOLD_FILE, "slow")
    view.browser.script(DROP_TEXT, view.labelled("s"), "slow", "the first")
    view.browser.wait(lambda: view.browser.script("return Boolean(window.go)"))
    view.browser.script(DROP_TEXT, view.labelled("s"), "fast", "the second")
    assert view.send().body["s"] == "the second"
    view.browser.script("go()")
    view.browser.wait(lambda: view.browser.script("return window.isRead"))
    assert view.send().body["s"] == "the second"


def give_slow(view: TryPage, folder: Path) -> None:
    """Give a file that is not read until `go()`."""
    np.save(folder / "slow.npy", np.array([[7]]))
    view.open("x.pt")
    view.browser.script(HOLD_FILE, "slow.npy")
    view.give(folder / "slow.npy")
    view.browser.wait(lambda: view.browser.script("return Boolean(window.go)"))


def test_a_request_waits_for_its_file(view: TryPage, tmp_path: Path):
    give_slow(view, tmp_path)

    def press() -> None:
        view.button("Send")
        view.browser.script("go()")

    assert view.answer_after(press).body["x"]["value"] == [7]


def test_a_request_that_waits_for_its_file_can_be_cancelled(view: TryPage, tmp_path: Path):
    give_slow(view, tmp_path)
    view.button("Send")
    view.button("Cancel")
    view.browser.sees("You cancelled it.", ".try")
    view.browser.wait(lambda: view.browser.one(SEND).is_enabled())
    assert view.browser.script("return answers.length") == 0
    view.button("Reset")
    assert view.send().body["x"]["value"] != [7]


@pytest.mark.parametrize("buttons", [["Reset"], ["Edit JSON"], ["Edit JSON", "Edit JSON"]])
def test_files_of_fields_that_are_gone_hold_no_request(
    view: TryPage, tmp_path: Path, buttons: list[str]
):
    give_slow(view, tmp_path)
    for each in buttons:
        view.button(each)
    assert view.send().status == 200


def test_the_camera_is_off_after_a_picture_that_failed(browser: Browser, url: str):
    view = TryPage(browser, url)
    view.open("image.pt")
    browser.script(NO_BITMAP)
    view.button("Camera…")
    browser.click("dialog .primary")
    browser.sees("no frame yet", ".try")
    assert browser.script("return stopped") == 1
