"""What `bench --compare` says of earlier measurements."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.support.described_server import SHORT, Command
from tests.support.fake_server import FakeServer


def test_json_is_compared_and_drawn(command: Command, fake: FakeServer, tmp_path: Path):
    before, drawing = tmp_path / "before.json", tmp_path / "new.svg"
    code, out, _ = command(fake.url, "-c", "1", *SHORT, "--json")
    before.write_text(out)
    found = json.loads(out)
    (run,) = found["measurements"]
    assert code == 0
    assert found["request"]["model"] == "a b.pt"
    assert run["requests_per_s"] == run["answers"] / run["seconds"] > 0
    assert list(run["latency_ms"]) == ["p50", "p90", "p99", "p99.9", "max", "mean"]
    assert run["server"]["steps"]["forward"]["mean_ms"] == 125

    flags = ["--compare", str(before), "--svg", str(drawing)]
    code, out, _ = command(fake.url, "-c", "1,2", *SHORT, *flags)
    assert code == 0
    one, two = out.splitlines()[-2:]
    assert re.match(r"1 connection: requests/s × [\d.]+ \(.*noise.*\), p50 × .*, p99 × ", one)
    assert two == "2 connections: not measured before"
    words = [each.text for each in ElementTree.parse(drawing).iter() if each.text]
    assert {"a b.pt, forward: throughput and latency", "1 connection", "dashed: before"} <= set(
        words
    )
    assert "prefers-color-scheme: dark" in drawing.read_text()


def test_what_is_compared_with_another_request_is_said(
    command: Command, fake: FakeServer, tmp_path: Path
):
    before, body = tmp_path / "before.json", tmp_path / "body.json"
    body.write_text('{"x": 1}')
    before.write_text(command(fake.url, "-c", "1", *SHORT, "--json")[1])
    flags = ["--body", str(body), "--compare", str(before)]
    _, out, _ = command(fake.url, "-c", "1", *SHORT, *flags)
    assert "not the same request: it was a b.pt, forward: 51 bytes of json" in out
    _, out, _ = command(fake.url, "-c", "1", *SHORT, "--compare", str(before), "--json")
    assert "not the same request" not in json.loads(out)["comparison"][0]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["format"], 99),
        (["request"], {}),
        (["measurements"], None),
        (["measurements", 0], {}),
        (["measurements", 0, "load"], {"connects": 1}),
        (["measurements", 0, "histogram"], "HISTxx"),
        (["measurements", 0, "histogram"], ""),
        (["measurements", 0, "failures"], [1]),
        (["measurements", 0, "server"], [1]),
    ],
)
def test_files_that_can_not_be_compared(
    command: Command, fake: FakeServer, tmp_path: Path, place: list[Any], value: Any
):
    document = json.loads(command(fake.url, "-c", "1", *SHORT, "--json")[1])
    part = document
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    before = tmp_path / "before.json"
    before.write_text(json.dumps(document))
    fake.requests.clear()
    code, _, err = command(fake.url, "-c", "1", *SHORT, "--compare", str(before))
    assert (code, fake.requests) == (2, [])  # nothing was measured for that
    assert "before.json: expected what `bench --json` of this version prints" in err
