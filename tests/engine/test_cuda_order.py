"""What waits for what on a card: copies, runs and graphs do, the host does for none of them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest
import torch

from tests.support.client import LIMIT_S, in_a_thread
from tests.support.held_stream import Gate, held
from tests.support.servables import mlp
from torch_serving.engine.cuda_accelerator import PINNED_BYTES, STAGED_BYTES, CudaAccelerator
from torch_serving.engine.cuda_graphs import EAGER_RUNS, GraphCache
from torch_serving.engine.device_method import DeviceMethod, Launch
from torch_serving.model_config import ModelConfig
from torch_serving.models import loader
from torch_serving.models.servable import Servable

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]
CARD = torch.device("cuda", 0)
SMALL, PINNED, STAGED = 16, PINNED_BYTES // 4 + 1, STAGED_BYTES // 4  # numbers of 4 bytes
SIZES = [
    pytest.param(SMALL, id="small"),
    pytest.param(PINNED, id="pinned"),
    pytest.param(STAGED, id="staged"),
]
FLIGHTS = 3


@pytest.fixture
def card() -> Iterator[CudaAccelerator]:
    card = CudaAccelerator(CARD)
    card.enter()
    yield card
    torch.cuda.synchronize()
    torch.cuda.set_stream(torch.cuda.default_stream(CARD))


def runs(card: CudaAccelerator) -> torch.cuda.Stream:
    return torch.cuda.current_stream(card.device)


def copies(card: CudaAccelerator) -> torch.cuda.Stream:
    stream: torch.cuda.Stream = card._thread.copies
    return stream


def method_on(card: CudaAccelerator, size: int, has_graph: bool) -> DeviceMethod:
    """A method that adds one, with a graph for such inputs, and memory for some flights."""

    def add(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    graphs = GraphCache("model", add, card) if has_graph else None
    method = DeviceMethod(add, card, None, graphs)
    for _ in range(EAGER_RUNS + 1):
        land(launch(method, size, -7.0), -7.0)
    held_back = [launch(method, size, -7.0) for _ in range(2 * FLIGHTS)]
    arrived = [card.copy_in([each.inputs[0]]) for each in held_back]
    torch.cuda.synchronize()
    del held_back, arrived
    assert graphs is None or len(graphs) == 1
    return method


def launch(method: DeviceMethod, size: int, number: float) -> Launch:
    return method.launch([[torch.full((size,), number)]], 0)


def land(launch: Launch, number: float) -> None:
    launch.progress.wait()
    assert launch.progress.has_ended()
    assert launch.outputs.eq(number + 1).all()


@pytest.mark.parametrize("has_graph", [False, True], ids=["run", "graph"])
@pytest.mark.parametrize("size", SIZES)
def test_the_host_waits_for_no_launch_and_none_for_the_memory_of_another(
    card: CudaAccelerator, size: int, has_graph: bool
):
    method = method_on(card, size, has_graph)
    with held(runs(card)) as gate:
        flights = [launch(method, size, float(n)) for n in range(FLIGHTS)]
        copies(card).synchronize()  # large inputs are there, all of them
        assert not any(each.progress.has_ended() for each in flights)
        gate.open()
        for number, each in enumerate(flights):
            land(each, float(number))


@pytest.mark.parametrize("has_graph", [False, True], ids=["run", "graph"])
def test_a_run_waits_for_large_inputs(card: CudaAccelerator, has_graph: bool):
    method = method_on(card, STAGED, has_graph)
    with held(copies(card)) as gate:
        flight = launch(method, STAGED, 5.0)
        for _ in range(20):  # it would have read what is not there
            assert not flight.progress.has_ended()
            time.sleep(0.01)
        gate.open()
        land(flight, 5.0)


def test_large_inputs_arrive_while_a_run_goes_on(card: CudaAccelerator):
    source, other = (torch.full((STAGED,), number).pin_memory() for number in (3.0, -7.0))
    card.copy_in([other])
    torch.cuda.synchronize()
    with held(runs(card)):
        (arrived,) = card.copy_in([source])
        with torch.cuda.stream(copies(card)):
            assert arrived.cpu().eq(3.0).all()


def test_small_inputs_wait_for_no_large_ones(card: CudaAccelerator):
    method = method_on(card, SMALL, has_graph=False)
    with held(copies(card)):
        land(launch(method, SMALL, 2.0), 2.0)


def test_a_thread_has_streams_for_runs_copies_and_captures(card: CudaAccelerator):
    streams = {runs(card), copies(card), card._thread.captures}
    assert len(streams - {torch.cuda.default_stream(CARD)}) == 3


def test_the_end_of_a_launch_is_not_that_of_another(card: CudaAccelerator):
    """Their memory is the same."""
    method = method_on(card, SMALL, has_graph=False)
    with held(runs(card)):
        ends = [card.begin() for _ in range(FLIGHTS)]
        assert not any(each.has_ended() for each in ends)
    land(launch(method, SMALL, 2.0), 2.0)


def test_a_thread_waits_for_nothing_of_another(card: CudaAccelerator):
    def end() -> None:
        progress = card.begin()
        progress.set_ended()
        progress.wait()
        assert progress.has_ended()

    torch.empty(1, dtype=torch.uint8, device=CARD)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(card.enter).result()
        thread.submit(lambda: torch.empty(1, dtype=torch.uint8, device=CARD)).result()
        with held(runs(card)):
            card.begin()
            thread.submit(end).result()


def test_a_model_is_loaded_once_its_weights_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An executor runs it in a stream that knows nothing of the one that they came in."""
    mlp().save(tmp_path / "mlp.pt")
    gates: SimpleQueue[Gate] = SimpleQueue()

    with ExitStack() as stack, ThreadPoolExecutor(1) as thread:

        def optimized(servable: Servable, make: object) -> Servable:
            gates.put(stack.enter_context(held(torch.cuda.current_stream(CARD))))
            return servable

        monkeypatch.setattr(loader, "optimized", optimized)
        config = ModelConfig(optimize=True)
        loaded = thread.submit(loader.load, tmp_path / "mlp.pt", CARD, config)
        gate = gates.get(timeout=LIMIT_S)
        for _ in range(20):
            assert not loaded.done()
            time.sleep(0.01)
        gate.open()
        assert loaded.result().device == CARD


@pytest.mark.parametrize("size", SIZES)
def test_a_thread_without_streams_of_its_own(size: int):
    def run() -> None:
        card = CudaAccelerator(CARD)
        graphs = GraphCache("model", torch.neg, card)
        method = DeviceMethod(torch.neg, card, None, graphs)
        for n in range(EAGER_RUNS + 3):
            assert method.run(torch.full((size,), float(n))).eq(-n).all()
        assert (graphs.is_on, len(graphs)) == (True, 0)

    in_a_thread(run)
