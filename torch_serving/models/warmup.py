"""Warm-up requests: they run as often as torch needs to compile a method."""

import functools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from torch_serving.codecs.image_files import pixels_among
from torch_serving.engine.batch_tensors import concatenate, rows_of
from torch_serving.engine.batcher import ON
from torch_serving.engine.inline_policy import WARM_UP_RUNS
from torch_serving.errors import DeviceFailed, InvalidServable, ServingError
from torch_serving.model_config import WarmUp
from torch_serving.models.samples import warm_ups_of
from torch_serving.models.servable import Method, Servable

logger = logging.getLogger(__name__)

RunOn = Callable[[torch.device, Callable[[], None]], None]


def run_here(device: torch.device, run: Callable[[], None]) -> None:
    run()


def warm_up(servable: Servable, run_on: RunOn = run_here) -> None:
    """Run the warm-up requests, alone and in batches. Raises InvalidServable for one that fails.

    Each run is made by `run_on`, where the device runs its requests: others come in between.
    """
    method = servable.main_method()
    for request in servable.config.warmup:
        warm_up_with(method, request, run_on)
        inputs = method.decode(request.body)
        method.pixels = method.pixels or pixels_among(method.signature.arguments, inputs)
    if not servable.config.warmup and not servable.state:  # a run would change that
        try_to_warm_up(method, warm_ups_of(servable), run_on)


def try_to_warm_up(method: Method, requests: Sequence[WarmUp], run_on: RunOn) -> None:
    """Run what a program brings by itself; it may fail, as it need not fit this machine."""
    try:
        for request in requests:
            warm_up_with(method, request, run_on)
    except InvalidServable as error:
        logger.warning("%s: not warmed up: %s", method.model, error.detail)


def warm_up_with(method: Method, request: WarmUp, run_on: RunOn) -> None:
    try:
        for _ in range(WARM_UP_RUNS + 1):
            run_on(method.device, functools.partial(run_once, method, request.body))
        for inputs in batches_of(method, request.body):
            for _ in range(WARM_UP_RUNS + 1):
                run_on(method.device, functools.partial(method.run, inputs))
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


def batches_of(method: Method, body: bytes) -> Iterator[list[Any]]:
    """The inputs of 2, 4, 8, … requests as one, and of the most that may run as one."""
    inputs = method.decode(body)
    rows = rows_of(inputs)
    if method.batcher and method.batcher.state is ON and rows:
        for requests in method.batcher.sizes(rows):
            yield concatenate([method.decode(body) for _ in range(requests)])
