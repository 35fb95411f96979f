"""Warm-up requests: they run as often as torch needs to compile a method."""

import time

from torch_serving.config import WarmUp
from torch_serving.engine.batch_tensors import concatenate, rows_of
from torch_serving.engine.batcher import ON
from torch_serving.engine.inline_policy import WARM_UP_RUNS
from torch_serving.errors import DeviceFailed, InvalidServable, ServingError
from torch_serving.models.servable import Method, Servable


def warm_up(servable: Servable) -> None:
    """Run the warm-up requests, alone and in batches. Raises InvalidServable for one that fails."""
    for request in servable.config.warmup:
        warm_up_with(servable.method("forward"), request)


def warm_up_with(method: Method, request: WarmUp) -> None:
    try:
        for _ in range(WARM_UP_RUNS + 1):
            run_once(method, request.body)
        warm_up_batches(method, request.body)
    except DeviceFailed:  # the file may be good
        raise
    except ServingError as error:
        problem = f"{error.description}: {error.detail}"
        raise InvalidServable(f"{request.source}: {problem}") from error


def run_once(method: Method, body: bytes) -> None:
    started_s = time.perf_counter()
    inputs = method.decode(body)
    method.encode(method.run(inputs))
    method.inline.record(len(body), inputs, time.perf_counter() - started_s)


def warm_up_batches(method: Method, body: bytes) -> None:
    """Run batches of 2, 4, 8, … requests, up to the largest that may form."""
    batcher = method.batcher
    rows = rows_of(method.decode(body))
    requests = 2
    while batcher and batcher.state is ON and rows and rows * requests <= batcher.max_rows:
        for _ in range(WARM_UP_RUNS):
            method.run(concatenate([method.decode(body) for _ in range(requests)]))
        requests *= 2
