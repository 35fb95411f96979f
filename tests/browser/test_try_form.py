"""Try: a form of the model's signature, whose request works at the first click."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.axe import violations
from tests.support.browser import Browser
from tests.support.exported_programs import save_program
from tests.support.hostile_names import NAMES
from tests.support.process import Process
from tests.support.servables import SOURCES, scripted
from tests.support.try_page import SEND, TryPage
from tests.support.typed_models import file_of

BIG = 2**63 - 1
TYPES = (
    "Tensor", "int", "float", "bool", "complex", "number", "str", "Device", "Color", "Point",
    "Segment", "Any", "NoneType", "Optional[int]", "Tuple[()]", "Tuple[Tensor]", "List[int]",
    "List[List[int]]", "List[Tensor]", "List[Any]", "Dict[str, Tensor]", "Dict[int, str]",
    "Dict[complex, str]", "Dict[Tensor, str]", "Union[int, str]", "Union[int, str, None]",
    "Union[List[int], Dict[str, int]]",
)  # fmt: skip


class Methods(torch.nn.Module):
    def forward(self, x: torch.Tensor, n: int = 2, note: str | None = None) -> torch.Tensor:
        return x * n

    @torch.jit.export
    def halve(self, n: int) -> int:
        return n // 2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, typed_models: Path) -> Path:
    root = tmp_path_factory.mktemp("forms")
    for type_ in TYPES:
        (root / file_of(type_)).write_bytes((typed_models / file_of(type_)).read_bytes())
    torch.jit.script(Methods().eval()).save(root / "methods.pt")
    scripted("x: Tensor, d: Dict[str, List[int]]", "Dict[str, List[int]]", "return d").save(
        root / "tree.pt"
    )
    scripted(*SOURCES["slow.pt"]).save(root / "slow.pt")
    for name in ("mlp", "trees", "two"):
        save_program(name, root)
    return root


@pytest.fixture(scope="module")
def url(root: Path, start_for_module: Callable[..., Process]) -> str:
    return start_for_module(root, "--port", "0", "--threads", "4", "--model-capacity", "100").url


@pytest.fixture
def view(page: Browser, url: str) -> TryPage:
    return TryPage(page, url)


def test_the_first_click_works_for_all_types(view: TryPage, root: Path):
    failed = {}
    for path in sorted(root.iterdir()):
        view.open(path.name)
        answer = view.send()
        if answer.status != 200:
            failed[path.name] = answer.body, answer.document
    assert failed == {}
    assert view.browser.script("return document.documentElement.scrollWidth <= innerWidth")


def test_what_is_sent_is_what_the_form_says(view: TryPage):
    view.open("methods.pt")
    assert list(view.send().body) == ["x"]
    view.pick("n", "int")
    view.write("n int", "3")
    view.pick("note", "str")
    view.write("note str", 'a "quote"\n<b>')
    view.write("x row 1 column 1", "1.5")
    answer = view.send()
    assert answer.body["n"] == 3
    assert answer.body["note"] == 'a "quote"\n<b>'
    assert answer.result["value"] == [4.5]
    assert answer.headers["X-Server-Timing"] == "1"
    view.pick("note", "null")
    assert view.send().body["note"] is None


def test_methods_and_devices(view: TryPage):
    view.open("methods.pt")
    view.pick("Method", "halve")
    view.browser.wait(lambda: view.labelled("n").get_attribute("value") == "1")
    view.write("n", "84")
    view.pick("Device", "cpu")
    answer = view.send()
    assert answer.url.endswith("serve?servable_identifier=methods.pt&method=halve&device=cpu")
    assert answer.result["value"] == 42
    view.open("methods.pt", "halve")
    assert view.labelled("Method").get_attribute("value") == "halve"


def test_the_form_and_json_are_in_step(view: TryPage):
    view.open("int.pt")
    view.write("v", str(BIG))
    view.button("Edit JSON")
    text = view.browser.one(".try textarea.body")
    assert text.get_attribute("value") == f'{{"v":{BIG}}}'
    text.clear()
    text.send_keys(f'{{"v": -{BIG}}}')
    assert view.answer_after(lambda: view.button("Send")).result["value"] == -BIG
    view.button("Edit JSON")
    assert view.labelled("v").get_attribute("value") == f"-{BIG}"
    assert view.send().result["value"] == -BIG  # all digits are there, also of what is beyond 2**53


def test_what_no_field_can_show_stays_as_json(view: TryPage):
    view.open("int.pt")
    view.button("Edit JSON")
    envelope = '{"v":{"type":"scalar","data_type":"int8","value":7}}'
    view.write("The body as JSON", envelope)
    view.button("Edit JSON")
    answer = view.send()
    assert (answer.body, answer.result["value"]) == (json.loads(envelope), 7)
    view.button("Edit JSON")
    view.write("The body as JSON", "[5]")
    assert view.send().result["value"] == 5
    view.button("Edit JSON")
    assert "by their names" in view.problems()[0]
    view.button("Reset")
    assert view.send().body == {"v": 1}


def test_problems_are_told_before_and_after_sending(view: TryPage):
    view.open("int.pt")
    view.write("v", "1.5")
    assert view.problems() == ["This is not a whole number."]
    assert view.send().status == 400  # it is sent all the same
    assert view.problems() == [
        "1.5 does not fit int64: it is not a whole number (argument `v`: int)"
    ]
    assert view.labelled("v").get_attribute("aria-invalid") == "true"
    view.write("v", "2")
    assert view.problems() == []
    assert view.send().status == 200
    view.button("Edit JSON")
    view.write("The body as JSON", "{")
    assert view.problems()[0].startswith("This is no JSON")
    view.browser.errors()  # the browser logs responses that are errors


def test_entries_come_and_go(view: TryPage):
    view.open("tree.pt")
    view.write("Key of d", "a/b~")
    view.button("+ Add")  # of the list in the dictionary
    fields = view.browser.all(".try .entry .entry input:not([hidden])")
    fields[1].clear()
    fields[1].send_keys("x")
    answer = view.send()
    assert answer.body["d"] == {"a/b~": [1, "x"]}
    (note,) = view.problems()
    assert 'got the string "x"' in note
    assert fields[1].get_attribute("aria-invalid") == "true"
    assert fields[0].get_attribute("aria-invalid") != "true"
    view.browser.click('[aria-label^="Remove 1 of"]')
    assert view.send().body["d"] == {"a/b~": [1]}
    view.browser.click('[aria-label="Add to d"]')
    assert view.send().body["d"] == {"a/b~": [1], "key2": [1]}
    view.browser.click('[aria-label="Remove a/b~ of d"]')
    assert view.send().result["value"] == {
        "key2": [{"type": "scalar", "data_type": "int64", "value": 1}]
    }
    view.browser.errors()


def test_names_of_enumerations_are_offered(view: TryPage):
    view.open("Color.pt")
    view.pick("v", "DARK_GREEN")
    assert view.send().result == {"type": "enum", "value": "DARK_GREEN"}


def test_keys_send_and_hints_are_read(view: TryPage):
    from selenium.webdriver.common.keys import Keys

    view.open("Segment.pt")
    view.browser.click_on(lambda: view.labelled("n"))
    press = lambda: view.labelled("n").send_keys(Keys.CONTROL, Keys.ENTER)  # noqa: E731
    assert view.answer_after(press).status == 200
    assert view.answer_after(lambda: view.browser.press(Keys.CONTROL, Keys.ENTER)).status == 200
    assert violations(view.browser) == []


def test_a_request_can_be_cancelled(view: TryPage):
    view.open("slow.pt")
    view.write("n", str(10**12))
    view.button("Send")
    view.browser.wait(lambda: not view.browser.one(SEND).is_enabled())
    view.button("Cancel")
    view.browser.sees("You cancelled it.", ".try")
    view.write("n", "1")
    assert view.send().status == 200


def test_inputs_of_the_history_come_back(view: TryPage):
    view.open("int.pt")
    view.write("v", str(BIG))
    view.send()
    view.open("methods.pt")
    view.send()
    view.browser.click(".answer > details > summary")
    view.browser.click(".history > li:last-child button[aria-label^='Reuse inputs']")
    view.browser.wait(lambda: view.is_ready("int.pt"))
    assert view.send().result["value"] == BIG


def test_hostile_names(page: Browser, hostile_models: Path, start: Callable[..., Process]):
    view = TryPage(page, start(hostile_models, "--port", "0").url)
    for name in NAMES:
        view.open(name)
        assert view.send().status == 200
    assert page.driver.title != "executed"


def test_models_that_cannot_be_loaded(page: Browser, console: Process):
    view = TryPage(page, console.url)
    page.script("location.hash = '#/try/broken.pt'")
    page.sees("Invalid servable identifier", ".try")
    view.open("errs.pt")
    assert "give the tensors the right shapes" in page.text(".try")
    assert view.send().status == 500
    page.errors()


def test_lists_that_overtake_each_other(page: Browser, console: Process):
    view = TryPage(page, console.url)
    view.open("echo.pt")  # the lists that were asked for before have come, or count no more
    page.hold("/models")
    page.script("location.hash = '#/try'")
    page.wait_for_held(1)
    page.script("location.hash = '#/try/mlp.pt'")
    page.wait_for_held(2)
    page.script("held[1]()")
    page.wait(lambda: view.is_ready("mlp.pt"))
    page.release(0)
    assert view.is_ready("mlp.pt")
