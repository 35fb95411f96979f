"""A file and its settings -> a servable that is warm."""

import errno
import functools
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from torch_serving.config import ModelConfig, WarmUp
from torch_serving.engine.batcher import is_close, merge, rows_of
from torch_serving.engine.device_errors import explain, is_out_of_memory
from torch_serving.engine.inline_policy import WARM_UP_RUNS
from torch_serving.errors import (
    NO_DESCRIPTOR,
    InvalidServable,
    OutOfMemory,
    Overloaded,
    ServingError,
    file_error,
)
from torch_serving.models.backends.torchscript.archive import HINT, KIND, verify
from torch_serving.models.backends.torchscript.enums import enum_members, install_stand_ins
from torch_serving.models.files import FileStat, OpenFile
from torch_serving.models.integrity import open_verified
from torch_serving.models.servable import Method, Servable

logger = logging.getLogger(__name__)


def load(
    path: Path,
    device: torch.device,
    identity: FileStat | None = None,
    settings: ModelConfig | None = None,
    digest: str | None = None,
    survives: Callable[[OpenFile], bool] = lambda _: True,
) -> Servable:
    """Load a TorchScript archive onto a device, for inference, and run its warm-up requests.

    Raises InvalidServable if it is none, has another SHA-256 than `digest`, if a process that
    `survives` tried it in did not, if its `forward` takes what no request can hold, or if its
    settings or one of those requests are wrong.
    """
    with open_verified(path, verify, digest) as file:
        try:
            survived = survives(file)
        except OSError as error:
            raise file_error(error, "it can't be tried") from None
        if not survived:
            raise InvalidServable("a process that loaded it crashed, or did not come to an end")
        return load_open(file, path.name, device, identity, settings or ModelConfig())


def load_open(
    file: OpenFile,
    name: str,
    device: torch.device,
    identity: FileStat | None,
    settings: ModelConfig,
) -> Servable:
    """The same for a file that is open and checked."""
    module = read_module(file.path, device)
    enums = enum_members(file.path)
    make = functools.partial(
        Servable,
        device=device,
        identity=identity,
        enums=lambda: enums,
        settings=settings,
        name=name,
        version=file.version,
    )
    servable = make(module)
    with torch.inference_mode():
        if settings.freeze or settings.optimize:
            servable = make(optimized(servable))
        warm_up(servable)
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # lanes have streams of their own
    return servable


def read_module(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    install_stand_ins()
    try:
        module = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    except Exception as error:
        reason = explain(error).partition("\n")[0]
        if is_out_of_memory(error):
            raise OutOfMemory("the model needs more memory than the device has left") from error
        if os.strerror(errno.EMFILE) in reason:
            raise Overloaded(NO_DESCRIPTOR) from error
        raise InvalidServable(f"not {KIND} that can be loaded here ({reason}); {HINT}") from error
    if not hasattr(module, "forward"):
        raise InvalidServable("the module has no method `forward`")
    evaluated: torch.jit.ScriptModule = module.eval()
    return evaluated


def optimized(servable: Servable) -> torch.jit.ScriptModule:
    """The module frozen, if it then answers the warm-up requests as before; else as it is."""
    settings = servable.settings
    if not settings.warmup:
        raise InvalidServable(
            f"{Path(servable.name).with_suffix('.toml')}: `freeze` and `optimize` are checked with "
            "a warm-up request; give `warmup`"
        )
    others = [name for name in servable.method_names() if name != "forward"]
    try:
        module = torch.jit.freeze(servable.module, preserved_attrs=others)
        if settings.optimize:
            module = torch.jit.optimize_for_inference(module, other_methods=others)
        candidate = Servable(module, servable.device, name=servable.name)
        same = all(answers_alike(servable, candidate, each.body) for each in settings.warmup)
        problem = "" if same else "it gives other results"
    except Exception as error:
        problem = explain(error).partition("\n")[0]
    if problem:
        logger.warning("%s: served as it is, not frozen: %s", servable.name, problem)
        return servable.module
    frozen: torch.jit.ScriptModule = module
    return frozen


def answers_alike(servable: Servable, candidate: Servable, body: bytes) -> bool:
    """Whether two give the same for a request. Each gets inputs that it may write to."""
    results = [
        method.run(method.decode(body))
        for method in (servable.method("forward"), candidate.method("forward"))
    ]
    return is_close(results[1], results[0])


def warm_up(servable: Servable) -> None:
    """Run the warm-up requests until TorchScript has specialised, alone and in batches.

    Raises InvalidServable for one that fails.
    """
    for request in servable.settings.warmup:
        warm_up_with(servable.method("forward"), request)


def warm_up_with(method: Method, request: WarmUp) -> None:
    try:
        for _ in range(WARM_UP_RUNS + 1):
            answer(method, request.body)
        warm_up_batches(method, request.body)
    except ServingError as error:
        problem = f"{error.description}: {error.detail}"
        raise InvalidServable(f"{request.source}: {problem}") from error


def answer(method: Method, body: bytes) -> None:
    started_s = time.perf_counter()
    inputs = method.decode(body)
    method.encode(method.run(inputs))
    method.inline.record(len(body), inputs, time.perf_counter() - started_s)


def warm_up_batches(method: Method, body: bytes) -> None:
    """Run batches of 2, 4, 8, … requests, as far as they go."""
    batching = method.batcher
    rows = rows_of(method.decode(body))
    requests = 2
    while batching and batching.state == "on" and rows and rows * requests <= batching.max_rows:
        for _ in range(WARM_UP_RUNS):
            method.run(merge([method.decode(body) for _ in range(requests)]))
        requests *= 2
