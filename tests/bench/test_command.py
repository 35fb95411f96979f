"""`torch-serving bench`: what is asked for, what is printed, and what is refused."""

import itertools
import json
import os
import re
import signal
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.described_server import SHORT, Command, answer
from tests.support.fake_server import FakeServer, fake_server, response
from tests.support.process import wait_until
from torch_serving.bench.generator import Generated
from torch_serving.bench.measurement import Measurement, measure


def posts(fake: FakeServer) -> set[tuple[bytes, bytes]]:
    """The targets and bodies that were sent."""
    parts = [each.partition(b"\r\n\r\n") for each in fake.requests]
    return {(head.split()[1], body) for head, _, body in parts if head.startswith(b"POST ")}


def test_the_only_model_of_a_server(command: Command, fake: FakeServer):
    code, out, err = command(fake.url, "-c", "1,2", *SHORT)
    assert code == 0
    first, machine, _, units, head, one, two, *rest = out.splitlines()
    assert first.startswith("a b.pt, forward: 51 bytes of json (its example) to http://127.0.0.1:")
    assert first.endswith("/serve?servable_identifier=a%20b.pt")
    assert "torch-serving 0." in machine
    assert units == "latencies in ms; of the server: means"
    assert head.split()[-5:] == ["mean", "|", "server", "forward", "batch"]
    assert [one.split()[:2], two.split()[:2]] == [["1", "connection"], ["2", "connections"]]
    assert one.split("|")[1].split() == ["250", "125"]
    assert any(line.startswith("generator: own, busy for at most") for line in rest)
    assert [line.partition(" s  ")[2] for line in err.splitlines()] == [
        "loading the model",
        "1 connection",
        "2 connections",
    ]


def test_the_servers_times_of_a_model_by_another_name(command: Command, fake: FakeServer):
    code, out, _ = command("other", "--url", fake.url, "-c", "1", *SHORT)
    assert code == 0
    assert out.splitlines()[0].startswith("other, forward: ")
    assert out.splitlines()[4].split()[-4:] == ["|", "server", "forward", "batch"]


@pytest.mark.parametrize(
    ("place", "target"),
    [
        (["a b.pt", "--url", "{url}"], b"/serve?servable_identifier=a%20b.pt"),
        (["{url}/models/a%20b.pt"], b"/serve?servable_identifier=a%20b.pt"),
        (
            ["{url}/serve?servable_identifier=a%20b.pt&plain=1"],
            b"/serve?servable_identifier=a%20b.pt&plain=1",
        ),
        (["{url}", "--form", "v2"], b"/v2/models/a%20b.pt/infer"),
        (["{url}/v2/models/theirs/infer"], b"/v2/models/theirs/infer"),
        (["{url}/any/thing?x=1", "--body", __file__], b"/any/thing?x=1"),
    ],
)
def test_what_is_asked(command: Command, fake: FakeServer, place: list[str], target: bytes):
    arguments = [each.format(url=fake.url) for each in place]
    code, _, _ = command(*arguments, "-c", "2", *SHORT)
    assert code == 0
    ((sent, _),) = posts(fake)
    assert sent == target


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("json", b'{"x":{"type":"tensor","shape":[1,2],"value":[1,2]}}'),
        ("v2", b"\x00\x00\x80\x3f\x00\x00\x00\x40"),
        ("safetensors", b"\x00\x00\x80\x3f\x00\x00\x00\x40"),
    ],
)
def test_forms(command: Command, fake: FakeServer, form: str, body: bytes):
    assert command(fake.url, "--form", form, "-c", "1", *SHORT)[0] == 0
    ((_, sent),) = posts(fake)
    assert sent.endswith(body)


def test_rows_are_random_and_always_the_same(command: Command, fake: FakeServer):
    for _ in range(2):
        assert command(fake.url, "--rows", "3", "-c", "1", *SHORT)[0] == 0
    ((_, sent),) = posts(fake)
    tensor = json.loads(sent)["x"]
    assert (tensor["shape"], len(set(tensor["value"]))) == ([3, 2], 6)


def test_keys(command: Command, fake: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    keys = tmp_path / "keys"
    keys.write_text("# ours\nthe-key-of-the-file\n")
    monkeypatch.setenv("TORCH_SERVING_API_KEY", "the-key-of-the-environment")
    command(fake.url, "-c", "1", *SHORT)
    assert all(b"Authorization: Bearer the-key-of-the-env" in each for each in fake.requests)
    fake.requests.clear()
    command(fake.url, "-c", "1", *SHORT, "--api-key-file", str(keys))
    assert all(b"Authorization: Bearer the-key-of-the-file" in each for each in fake.requests)


def test_answers_that_differ(command: Command):
    busy = response(503, b'{"description": "Too many requests"}')
    posted = itertools.count()

    def half(request: bytes, number: int) -> bytes:
        is_post = request.startswith(b"POST ")
        return busy if is_post and next(posted) % 2 else answer(request, number)

    with fake_server(half) as fake:
        code, out, _ = command(fake.url, "-c", "1", "-s", "1", "--warm-up", "0")
    assert code == 0
    assert re.search(r"1 connection: [\d,]+ × status 503, Too many requests", out)
    assert "answers to the same request differ: 200 and 503" in out


def test_an_open_loop(command: Command, fake: FakeServer):
    code, out, _ = command(fake.url, "--rate", "50,100", *SHORT)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[5:7]] == ["50", "100"]


def test_an_interrupt_prints_what_was_measured(
    command: Command, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    """The signal comes in the midst of the first load, and there is no second one."""
    made: list[Generated] = []

    class Seen(Generated):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr("torch_serving.bench.generator.Generated", Seen)

    def interrupt() -> None:
        wait_until(lambda: bool(made) and made[0].recorder.answers > 1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    code, out, _ = command(fake.url, "-c", "1,2", "-s", "60", "--warm-up", "0")
    thread.join()
    assert code == 130
    assert [line.split()[:1] for line in out.splitlines()[5:7]] == [["1"], []]
    assert "1 connection: interrupted after " in out


def test_an_interrupt_before_anything_was_measured(
    command: Command, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*arguments: Any) -> Measurement:
        return replace(measure(*arguments), answers=0, is_interrupted=True)

    monkeypatch.setattr("torch_serving.bench.measurement.measure", interrupted)
    code, out, _ = command(fake.url, "-c", "1,2", *SHORT)
    assert (code, out) == (130, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.pt"], "no such file: none.pt; --url says which server has it"),
        ([".."], ".. is a folder; name one model file in it"),
        (["{url}/other"], "has 7 models (a.pt, b.pt, c.pt, d.pt, e.pt, …); name one: "),
        (["{url}/third"], "answers 404 for /models; name a model with --url"),
        (["none.pt", "--url", "{url}"], "does not describe none.pt: Not found; give a request"),
        (["a b.pt", "--url", "{url}", "--method", "froward"], "did you mean forward?"),
        (["{url}", "--method", "silent"], "a b.pt: no request was found that works; give a "),
        (["a b.pt", "--url", "{url}", "--rows", "100000000"], "numbers is too large to be made"),
        (["{url}/serve"], "names no model; add ?servable_identifier=NAME"),
        (["ftp://host"], "expected a URL as in http://127.0.0.1:8888, got ftp://host"),
        (["http://host:0x"], "expected a URL"),
        (["{url}", "--url", "{url}"], "give one URL"),
        (["{url}", "--", "--workers", "2"], "flags after -- are those of a server for a model"),
        (["{url}", "--rate", "0"], "expected requests/s, more than 0"),
        (["{url}", "--rate", "1", "-c", "1,2"], "--connections is one number"),
        (["{url}", "-c", "0"], "expected at least 1"),
        (["{url}", "--form", "v3"], "expected one of json, v2, safetensors, got 'v3'"),
        (["{url}", "--body", "x", "--rows", "1"], "--body and --rows are two requests"),
        (["{url}", "--body", "none.json"], "--body none.json: No such file"),
        (["{url}", "--api-key-file", "none"], "--api-key-file none: No such file"),
        (["{url}", "--compare", "none"], "--compare none: No such file"),
        (["{url}", "--compare", __file__], "it is no JSON; --json prints such a file"),
        (["{url}", "--svg", "none/x.svg"], "--svg: no such folder: none"),
        (["{url}", "--rate", "5", "--generator", "wrk"], "--generator wrk: wrk has no open loop"),
        (["{url}", "--sceonds", "5"], "did you mean --seconds?"),
        (["http://127.0.0.1:1"], "does not answer: Connection refused"),
    ],
)
def test_what_is_refused(command: Command, fake: FakeServer, arguments: list[str], words: str):
    code, out, err = command(
        *(each.format(url=fake.url) for each in arguments), *([] if "--" in arguments else SHORT)
    )
    assert (code, out) == (2, "")
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_request_that_is_refused_is_not_measured(command: Command):
    def refuse(request: bytes, number: int) -> bytes:
        refusal = response(400, b'{"description": "Invalid", "detail": "/x: expected more"}')
        return refusal if request.startswith(b"POST ") else answer(request, number)

    with fake_server(refuse) as fake:
        code, out, err = command(fake.url, *SHORT)
    assert (code, out) == (2, "")
    assert "answers 400: Invalid: /x: expected more" in err.splitlines()[-1]
    assert len(posts(fake)) == 1


def test_what_was_measured_before_the_server_went_is_printed(command: Command):
    """The first load is measured; for the second, nobody listens."""
    stack = ExitStack()
    fake = stack.enter_context(fake_server(answer))
    loads: list[object] = []

    def measure_then_end(*arguments: object) -> Measurement:
        measured = measure(*arguments)  # type: ignore[arg-type]
        loads.append(measured)
        stack.close()
        return measured

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch_serving.bench.measurement.measure", measure_then_end)
        code, out, err = command(fake.url, "-c", "1,2", *SHORT)
    assert (code, len(loads)) == (2, 1)
    assert any(line.split()[:2] == ["1", "connection"] for line in out.splitlines())
    assert "does not answer: " in err.splitlines()[-1]
