"""Try: requests as programs, which work as they are copied."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.client import LIMIT_S
from tests.support.exported_programs import save_program
from tests.support.process import Process
from tests.support.servables import mlp, scripted
from tests.support.try_page import TryPage

KEY = "key-0123456789abcdef"
HOSTILE = 'de ep/\'; echo $HOME "`id`" ${x} &?#%+.pt'
TEXT = '\'; "quoted" $HOME `id` \\n \n JSON\n</script> é 🙂 \u2028 True null'
PROGRAMS = """
const select = document.querySelector('[aria-label="Language"]');
return Object.fromEntries([...select.options].map(({value}) => {
  select.value = value;
  select.dispatchEvent(new Event("change"));
  return [value, document.querySelector(".try form pre code").textContent];
}));
"""
RUN = {
    "curl": ["bash"],  # which reads the program, as one may be longer than an argument
    "Python": [sys.executable, "-"],
    "tritonclient": [sys.executable, "-"],
    "JavaScript": ["node", "-"],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("programs")
    (root / HOSTILE).parent.mkdir()
    scripted("s: str", "str", "return s").save(root / HOSTILE)
    scripted("n: int", "int", "return n").save(root / "int.pt")
    scripted("d: Dict[str, int]", "Dict[str, int]", "return d").save(root / "dict.pt")
    scripted("x: Tensor, b: bool, o: Optional[int]", "Tensor", "return x").save(root / "x.pt")
    mlp().save(root / "mlp.pt")
    for name in ("kinds", "trees"):
        save_program(name, root)
    return root


@pytest.fixture(scope="module")
def url(root: Path, start_for_module: Callable[..., Process]) -> str:
    return start_for_module(root, "--port", "0", "--threads", "2").url


@pytest.fixture
def view(browser: Browser, url: str) -> TryPage:
    return TryPage(browser, url)


def programs(view: TryPage) -> dict[str, str]:
    """The programs for what the form holds, by language."""
    if not view.browser.script("return document.querySelector('.try form details').open"):
        view.browser.click(".try form summary")
    view.browser.one(".try form pre code")
    found: dict[str, str] = view.browser.script(PROGRAMS)
    return found


def output_of(language: str, program: str, **environment: str) -> str:
    if shutil.which(RUN[language][0]) is None:
        pytest.skip(f"there is no {RUN[language][0]} here")
    if language in ("Python", "tritonclient"):
        pytest.importorskip({"Python": "requests"}.get(language, language))
    done = subprocess.run(
        RUN[language],
        input=program.encode(),
        capture_output=True,
        timeout=LIMIT_S,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def results(view: TryPage, **environment: str) -> dict[str, Any]:
    """What the programs print as the answer; JavaScript prints it in its own way."""
    read = {"curl": json.loads, "Python": ast.literal_eval}
    outputs = {name: output_of(name, each, **environment) for name, each in programs(view).items()}
    return {name: read.get(name, str)(each) for name, each in outputs.items()}


def test_hostile_names_and_strings(view: TryPage):
    view.open(HOSTILE)
    view.browser.script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        view.labelled("s"),
        TEXT,
    )
    assert view.send().result["value"] == TEXT
    found = results(view)
    assert found["curl"]["result"]["value"] == found["Python"]["result"]["value"] == TEXT
    assert "status" not in found["JavaScript"]
    assert "code: 200" in found["JavaScript"]
    assert "quoted" in found["tritonclient"]


def test_all_digits(view: TryPage):
    view.open("int.pt")
    view.write("n", str(2**63 - 1))
    found = results(view)
    assert found["curl"]["result"]["value"] == found["Python"]["result"]["value"] == 2**63 - 1
    assert "code: 200" in found["JavaScript"]
    assert f"output_0 {2**63 - 1}" in found["tritonclient"]


def test_a_key_that_is_another_word_in_javascript(view: TryPage):
    view.open("dict.pt")
    view.write("Key of d", "__proto__")
    for answer in [found := results(view)["curl"], view.send().document]:
        assert list(answer["result"]["value"]) == ["__proto__"], found
    assert "__proto__" in results(view)["JavaScript"]


@pytest.mark.parametrize("model", ["x.pt", "mlp.pt", "kinds.pt2", "trees.pt2"])
def test_arguments_of_all_kinds(view: TryPage, model: str):
    view.open(model)
    found = results(view)
    assert found["curl"]["code"] == found["Python"]["code"] == 200
    assert "code: 200" in found["JavaScript"]
    if model == "kinds.pt2":  # its client wants another library for bfloat16
        assert "tritonclient" not in found
    else:
        assert "output_0" in found["tritonclient"]


def test_long_bodies(view: TryPage):
    view.open("mlp.pt")
    view.button("Edit JSON")
    body = json.dumps({"x": [[0.25] * 16] * 2000})
    code = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    view.browser.script(code, view.browser.one(".try textarea.body"), body)
    found = programs(view)
    assert json.loads(output_of("curl", found["curl"]))["result"]["shape"] == [2000, 4]


def test_keys_are_not_written_down(
    browser: Browser, root: Path, start: Callable[..., Process], tmp_path: Path
):
    (tmp_path / "keys").write_text(f"{KEY}\n")
    process = start(root, "--port", "0", "--api-key-file", tmp_path / "keys")
    browser.open(f"{process.url}/#/try/mlp.pt")
    browser.fill("dialog input", KEY)
    browser.click("dialog .primary")
    view = TryPage.__new__(TryPage)
    view.browser = browser
    browser.wait(lambda: view.is_ready("mlp.pt"))
    found = programs(view)
    assert not any(KEY in program for program in found.values())
    answers = results(view, TORCH_SERVING_API_KEY=KEY)
    assert answers["curl"]["code"] == answers["Python"]["code"] == 200
    assert "code: 200" in answers["JavaScript"]
    assert "output_0" in answers["tritonclient"]
