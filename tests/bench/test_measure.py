"""What a load measures, against a server whose answers and pauses are known."""

import resource
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.fake_server import CHUNKED, OK, FakeServer, fake_server, response
from tests.support.process import wait_until
from torch_serving.bench.address import Address
from torch_serving.bench.load import Load
from torch_serving.bench.measurement import measure
from torch_serving.bench.pool import allow_descriptors
from torch_serving.bench.recorder import Failure
from torch_serving.bench.target import Target
from torch_serving.errors import StartupError

PAUSE_S = 0.5
SHORT = Load(connections=4, seconds=0.3, warm_up_s=0.0)


def target_of(fake: FakeServer, body: bytes = b"[1]") -> Target:
    return Target(Address(fake.url, key="secret"), "/serve?a=b", body, {"Content-Type": "a/b"})


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with fake_server() as found:
        yield found


def test_every_answer_counts_once(fake: FakeServer):
    measured = measure(target_of(fake), SHORT)
    assert 0 < measured.answers <= len(fake.requests)
    assert abs(measured.answers - measured.latencies.count) <= 4  # on their way at the edges
    assert (measured.failed, measured.unanswered, measured.is_interrupted) == (0, 0, False)
    assert measured.rate == measured.answers / measured.seconds
    assert measured.percentile_ms(50) <= measured.percentile_ms(99) <= measured.latencies.max_ms


def test_the_request_as_it_is_sent(fake: FakeServer):
    measure(target_of(fake, b"x" * 300_000), SHORT)  # more than one write takes
    head, _, body = fake.requests[0].partition(b"\r\n\r\n")
    host = fake.url.removeprefix("http://")
    assert head.decode().split("\r\n") == [
        "POST /serve?a=b HTTP/1.1",
        f"Host: {host}",
        "Authorization: Bearer secret",
        "Content-Type: a/b",
        "Content-Length: 300000",
    ]
    assert set(fake.requests) == {fake.requests[0]}
    assert body == b"x" * 300_000


def test_what_is_no_200_is_no_throughput():
    answers = {
        1: response(503, b'{"description": "Too many requests", "detail": "wait"}'),
        2: response(429, b"no document"),
        3: response(599, b'{"error": "what"}', "Connection: close"),
    }
    with fake_server(lambda _, number: answers.get(number % 4, OK)) as fake:
        measured = measure(target_of(fake), SHORT)
    assert set(measured.failures) == {
        Failure(503, "Too many requests: wait"),
        Failure(429, "Too Many Requests"),
        Failure(599, "what"),
    }
    assert measured.answers + measured.failed <= len(fake.requests) + 4


def test_answers_in_chunks_count():
    with fake_server(lambda *_: CHUNKED) as fake:
        assert measure(target_of(fake), SHORT).answers > 0


def test_lost_connections_are_failures_and_opened_again():
    with fake_server(lambda _, number: None if number % 10 == 5 else OK) as fake:
        measured = measure(target_of(fake), SHORT)
    assert set(measured.failures) == {Failure(0, "the connection was closed before the answer")}
    assert measured.answers > 0


def test_what_is_not_http():
    with fake_server(lambda *_: b"220 mail\r\n\r\n") as fake:
        measured = measure(target_of(fake), SHORT)
    assert set(measured.failures) == {Failure(0, "the answer is not HTTP")}
    assert measured.answers == 0


def test_a_server_that_is_not_there():
    target = Target(Address("http://127.0.0.1:1"), "/")
    with pytest.raises(StartupError, match=r"does not answer: .*is a server running there"):
        measure(target, SHORT)


def test_nobody_waits_longer_than_the_timeout():
    with fake_server() as fake:
        fake.is_open.clear()
        measured = measure(target_of(fake), Load(2, seconds=0.3, warm_up_s=0.0, timeout_s=0.1))
    assert measured.failures[Failure(0, "no answer within 0.1 s")] >= 2
    assert (measured.answers, measured.latencies.count) == (0, 0)


class Pause:
    """What a server's pause in the midst of a load did."""

    def __init__(self, fake: FakeServer, load: Load) -> None:
        self._fake = fake
        self.seconds = 0.0
        self.answered = 0  # requests that came before
        self.received = 0  # requests that came meanwhile
        thread = threading.Thread(target=self._pause)
        thread.start()
        self.measured = measure(target_of(fake), load)
        thread.join()

    def _pause(self) -> None:
        wait_until(lambda: len(self._fake.requests) > 20)
        self._fake.is_open.clear()
        self.answered = len(self._fake.requests)
        begin_s = time.perf_counter()
        time.sleep(PAUSE_S)
        self.seconds = time.perf_counter() - begin_s
        self.received = len(self._fake.requests) - self.answered
        self._fake.is_open.set()


def test_an_open_loop_shows_a_pause(fake: FakeServer):
    """Each request that was due in the pause waited for its end, sent or not."""
    rate, seconds = 100, 2.0
    pause = Pause(fake, Load(2, rate=rate, seconds=seconds, warm_up_s=0.0))
    measured = pause.measured
    due_meanwhile = min(rate * pause.seconds, rate * seconds - pause.answered)
    assert measured.latencies.count + measured.unanswered >= rate * seconds
    assert measured.latencies.max_ms >= pause.seconds * 1e3 * 0.95 - 1e3 / rate
    assert measured.latencies.slower_than(pause.seconds * 500) >= due_meanwhile / 2 - 2
    assert measured.backlog_peak >= due_meanwhile - 4
    assert measured.failed == 0


def test_a_closed_loop_hides_it(fake: FakeServer):
    """Only the requests that were on their way have waited: nobody asks meanwhile."""
    pause = Pause(fake, Load(2, seconds=2.0, warm_up_s=0.0))
    assert pause.received <= 4  # two on their way when it began, and what had been read before
    assert pause.measured.failed == 0


def test_a_load_beyond_the_server_ends_early():
    with fake_server() as fake:
        fake.is_open.clear()
        load = Load(1, rate=1000, seconds=60, warm_up_s=0.0, timeout_s=0.1, backlog=50)
        measured = measure(target_of(fake), load)
    assert measured.is_overrun
    assert measured.backlog_peak == 50
    assert measured.unanswered > 0
    assert measured.seconds < 60


@pytest.mark.parametrize(
    ("limits", "given"),
    [
        ((1024, 4096), (1100, 4096)),
        ((1024, resource.RLIM_INFINITY), (1100, resource.RLIM_INFINITY)),
        ((2048, 4096), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_as_many_files_may_be_open_as_connections_need(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], given: tuple[int, int] | None
):
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: found.append(wanted))
    allow_descriptors(1000)
    assert found == ([given] if given else [])


def test_more_connections_than_files_may_be_open(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    with pytest.raises(StartupError, match=r"need 1100 open files, and 1024 are allowed"):
        allow_descriptors(1000)
