"""GET /console/stats: JSON and a stream of events, of all workers, and what bounds the streams."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.client import LIMIT_S
from tests.support.fetch import fetch
from tests.support.process import Process, wait_until
from tests.support.servables import SOURCES, scripted
from torch_serving.http.console.stats import MOST_STREAMS
from torch_serving.telemetry._counters import SECONDS, SIZES

HOSTILE = ["<script>alert(1)<\\script>.pt", "a'b\"c&.pt", "\u2028 line.pt"]
STREAM = {"Accept": "text/event-stream"}
Event = tuple[str, dict[str, Any]]


class Stream:
    """One open stream."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            address.hostname, address.port, timeout=LIMIT_S
        )
        self._connection.request("GET", "/console/stats", headers=STREAM)
        self.response = self._connection.getresponse()

    def event(self) -> Event:
        name = self.response.readline().decode().removeprefix("event: ").rstrip("\n")
        data = self.response.readline().decode().removeprefix("data: ")
        assert self.response.readline() == b"\n"
        return name, json.loads(data)

    def close(self) -> None:
        self._connection.close()
        self.response.close()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name in ("two.pt", *HOSTILE):
        scripted(*SOURCES["two.pt"]).save(root / name)
    return root


@pytest.fixture(scope="module")
def two_workers(root: Path, start_for_module: Callable[..., Process]) -> Process:
    process = start_for_module(root, "--port", "0", "--workers", "2", "--threads", "1")
    for name in ("two.pt", *HOSTILE):
        assert run(process, name) == 200
    # the latest sample may be of before the other worker was there
    wait_until(lambda: len(fetch(process.url, "/console/stats")[2]["workers"]) == 2)
    return process


def run(process: Process, name: str) -> int:
    """One request over a connection of its own, whichever worker gets it."""
    address = urlsplit(process.url)
    target = "/serve?" + urlencode({"servable_identifier": name})
    with closing(http.client.HTTPConnection(address.hostname, address.port)) as connection:
        connection.request("POST", target, BODY)
        return connection.getresponse().status


BODY = json.dumps({"x": [1.0, 2.0], "y": [3.0, 4.0]})


def test_the_counts_are_those_of_all_workers(two_workers: Process):
    for _ in range(20):
        assert run(two_workers, "two.pt") == 200
    status, headers, body = fetch(two_workers.url, "/console/stats")
    assert (status, headers["cache-control"], headers["vary"]) == (200, "no-store", "Accept")
    model = body["models"]["two.pt"]
    assert sum(model["codes"].values()) == sum(model["seconds"]) == 21
    assert model["steps"]["request"] == [21, model["sum_s"]]
    assert model["steps"]["forward"][0] == 21
    assert model["last"] == pytest.approx(body["history"][-1]["t"], abs=LIMIT_S)
    assert [each["worker"] for each in body["workers"]] == ["0", "1"]
    assert len({each["pid"] for each in body["workers"]}) == 2
    assert all(each["resident_bytes"] > 0 for each in body["workers"])
    assert len(body["bounds_s"]) == len(SECONDS)
    assert len(body["history"][0]["batches"]) == len(SIZES) + 1
    assert [each["device"] for each in body["devices"]] == ["cpu"]
    assert body["started"] <= body["history"][0]["t"]


def test_names_of_models_are_as_they_are(two_workers: Process):
    assert set(fetch(two_workers.url, "/console/stats")[2]["models"]) == {"two.pt", *HOSTILE}
    with closing(Stream(two_workers.url)) as stream:
        assert set(stream.event()[1]["models"]) == {"two.pt", *HOSTILE}


def test_a_stream_begins_with_all_and_goes_on_with_changes(two_workers: Process):
    with closing(Stream(two_workers.url)) as stream:
        headers = stream.response.headers
        assert headers["content-type"] == "text/event-stream"
        assert headers["transfer-encoding"] == "chunked"
        name, first = stream.event()
        assert (name, first["interval_s"]) == ("start", 2.0)
        known = first["models"]["two.pt"]["codes"]["200"]
        stream.event()  # of the first stream, it may have all
        assert run(two_workers, "two.pt") == 200
        changed = next_change(stream)
        assert set(changed["models"]) == {"two.pt"}
        assert changed["models"]["two.pt"]["codes"]["200"] == known + 1
        assert changed["sample"]["t"] > first["history"][-1]["t"]
        assert [each["worker"] for each in changed["workers"]] == ["0", "1"]


def next_change(stream: Stream) -> dict[str, Any]:
    while not (event := stream.event())[1]["models"]:
        pass
    return event[1]


def test_head_and_unknown_parameters(two_workers: Process):
    status, headers, _ = fetch(two_workers.url, "/console/stats", STREAM, method="HEAD")
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    status, _, body = fetch(two_workers.url, "/console/stats?x=1")
    assert (status, body["description"]) == (400, "Invalid parameter")


def test_old_clients_get_a_stream_that_ends_with_the_connection(two_workers: Process):
    address = urlsplit(two_workers.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT_S)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
    connection.request("GET", "/console/stats", headers=STREAM)
    with closing(connection), connection.getresponse() as response:
        assert "transfer-encoding" not in response.headers
        assert response.readline() == b"event: start\n"


@pytest.fixture
def crowded(root: Path, start: Callable[..., Process]) -> Iterator[tuple[Process, list[Stream]]]:
    process = start(root, "--port", "0", "--threads", "1")
    with ExitStack() as stack:
        yield (
            process,
            [stack.enter_context(closing(Stream(process.url))) for _ in range(MOST_STREAMS)],
        )


def test_there_are_so_many_streams_and_no_more(crowded: tuple[Process, list[Stream]]):
    process, streams = crowded
    assert {stream.event()[0] for stream in streams} == {"start"}
    assert {stream.event()[0] for stream in streams} == {"sample"}
    status, headers, body = fetch(process.url, "/console/stats", STREAM)
    assert (status, body["description"]) == (503, "Server overloaded")
    assert int(headers["retry-after"]) > 0
    assert fetch(process.url, "/console/stats")[0] == 200
    streams.pop().close()
    wait_until(lambda: status_of_stream(process) == 200)


def status_of_stream(process: Process) -> int:
    with closing(Stream(process.url)) as stream:
        return stream.response.status


def test_streams_end_as_they_should_when_the_server_stops(crowded: tuple[Process, list[Stream]]):
    """It does not wait for those who read none of it either."""
    process, streams = crowded
    process.signal()
    for stream in streams[: MOST_STREAMS // 2]:
        assert stream.response.read().endswith(b"}}\n\n")  # raises IncompleteRead where it is cut
    assert process.exit_code() == 0
    assert process.problems == ""
    assert "0 requests are under way" in process.stderr
    assert process.stdout.count("GET /console/stats 200") == MOST_STREAMS


def test_a_stream_is_logged_at_its_end_and_is_no_error(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--threads", "1")
    with closing(Stream(process.url)) as stream:
        stream.event()
        assert "/console/stats" not in process.stdout
    wait_until(lambda: "GET /console/stats 200" in process.stdout)
    assert fetch(process.url, "/console/stats")[2]["history"][-1]["errors"] == {}
