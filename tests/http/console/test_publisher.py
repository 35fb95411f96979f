"""The events of the console, without a server: who gets what, and what a sample reads."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from torch_serving.config import Config
from torch_serving.http.console.sampler import KEPT_S, MODELS_AT_ONCE, Sampler
from torch_serving.http.console.stats import Publisher, Stream
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry._counters import ModelReader, Statistics

MANY = 1000


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    runtime = Runtime.build(Config(model_root=tmp_path, threads=1))
    yield runtime
    runtime.close()


def read(event: bytes) -> tuple[str, dict[str, Any]]:
    name, data, *rest = event.decode().split("\n")
    assert rest == ["", ""]
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def respond(statistics: Statistics, name: str, status: int = 200) -> None:
    statistics.counters(name.encode(), b"forward").observe_response(status, 0.001)


def test_events_have_what_changed_since_the_last(runtime: Runtime):
    statistics = runtime.group.statistics

    async def follow() -> None:
        sampler = Sampler(runtime)
        publisher = Publisher(sampler)
        respond(statistics, "a.pt")
        stream = Stream(publisher)
        assert [*read(await anext(aiter(stream)))[1]["models"]] == ["a.pt"]
        for name in ("b.pt", "a.pt"):
            respond(statistics, name)
            await publisher._publish(sampler.take())
            kind, event = read(await anext(stream))
            assert kind == "sample"
        assert [*event["models"]] == ["a.pt"]
        assert event["models"]["a.pt"]["codes"] == {"200": 2}
        assert event["sample"]["codes"] == {"200": 3}
        await stream.close()
        assert publisher.streams == set()

    asyncio.run(follow())


def test_who_has_missed_an_event_begins_anew(runtime: Runtime):
    async def follow() -> None:
        sampler = Sampler(runtime)
        publisher = Publisher(sampler)
        slow, quick = Stream(publisher), Stream(publisher)
        for stream in (slow, quick):
            assert read(await anext(aiter(stream)))[0] == "start"
        for _ in range(2):
            await publisher._publish(sampler.take())
            assert read(await anext(quick))[0] == "sample"
        kind, document = read(await anext(slow))
        assert (kind, len(document["history"])) == ("start", 2)

    asyncio.run(follow())


def test_all_streams_get_the_same_bytes(runtime: Runtime):
    async def follow() -> None:
        sampler = Sampler(runtime)
        publisher = Publisher(sampler)
        streams = [Stream(publisher) for _ in range(3)]
        for stream in streams:
            await anext(aiter(stream))
        waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
        await asyncio.sleep(0)
        waiting[0].cancel()  # whoever leaves takes nothing from the others
        await publisher._publish(sampler.take())
        first, second = await asyncio.gather(*waiting[1:])
        assert first is second

    asyncio.run(follow())


def test_nothing_is_encoded_for_nobody(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(Sampler, "changed_models")
    asyncio.run(Publisher(sampler := Sampler(runtime))._publish(sampler.take()))


def test_ten_minutes_are_kept(runtime: Runtime):
    sampler = Sampler(runtime)
    for _ in range(400):
        sampler.take()
    document = json.loads(sampler.head_of_start() + "}}")
    times = [each["t"] for each in document["history"]]
    assert len(times) * document["interval_s"] == KEPT_S
    assert times == sorted(times)


def test_many_models_are_encoded_in_pieces(runtime: Runtime):
    for number in range(MANY):
        respond(runtime.group.statistics, f"{number}.pt")
    pieces = list(Sampler(runtime).all_models())
    assert len(pieces) == MANY // MODELS_AT_ONCE
    assert len(json.loads("{" + "".join(pieces) + "}")) == MANY


def test_a_model_has_the_sums_of_its_methods_and_workers():
    statistics = Statistics(2)
    for worker in (0, 1):
        statistics.attach(worker)
        for method in (b"forward", b"encode"):
            counters = statistics.counters(b"m.pt", method)
            counters.observe_response(200, 0.002)
            counters.observe_step(4, 0.5)
            counters.observe_batch(3)
        statistics.counters(b"m.pt", b"").count_load()
    reader = ModelReader(statistics)
    numbers = reader.numbers(*reader.names())
    assert (numbers.codes, numbers.loads, sum(numbers.seconds)) == ({200: 4}, 2, 4)
    assert numbers.steps["forward"] == (4, 2.0)
    totals = statistics.totals()
    assert (totals.codes, totals.batched, sum(totals.batches)) == ({200: 4}, 12, 4)
    assert totals.sum_s == pytest.approx(0.008)
    assert totals.seconds == numbers.seconds


def test_only_what_changed_is_found():
    statistics = Statistics()
    reader = ModelReader(statistics)
    assert reader.changed() == []
    for name in ("a", "b"):
        respond(statistics, name)
    assert reader.changed() == ["a", "b"]
    assert reader.changed() == []
    respond(statistics, "b", 500)
    statistics.unmatched.observe_response(400, 0.1)
    assert reader.changed() == ["b"]
    statistics.counters(b"c", b"").count_load()
    assert reader.changed() == ["c"]
    assert reader.names() == ["a", "b", "c"]
