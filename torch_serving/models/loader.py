"""A model file and its configuration -> a servable that is warm."""

import functools
import logging
from collections.abc import Callable
from pathlib import Path

import torch

from torch_serving.engine.batch_tensors import is_close
from torch_serving.engine.device_errors import explain
from torch_serving.errors import DeviceFailed, InvalidServable, file_error
from torch_serving.model_config import ModelConfig
from torch_serving.models.backends import registry
from torch_serving.models.backends.registry import backend_of
from torch_serving.models.files import OpenFile
from torch_serving.models.integrity import open_verified
from torch_serving.models.samples import warm_ups_of
from torch_serving.models.servable import DEFAULT_CONFIG, ModelSource, Servable
from torch_serving.models.warmup import RunOn, run_here, warm_up
from torch_serving.telemetry._counters import Statistics

logger = logging.getLogger(__name__)

NO_WARM_UP = "`freeze` and `optimize` are checked with a warm-up request; give `warmup`"
KEEPS = "%s keeps state (%s): its requests run one at a time"
TryLoad = Callable[[OpenFile], bool]  # returns whether the process that loaded the file lived


def load(
    path: Path,
    device: torch.device,
    config: ModelConfig = DEFAULT_CONFIG,
    source: ModelSource | None = None,
    statistics: Statistics | None = None,
    try_load: TryLoad = lambda _: True,
    run_on: RunOn = run_here,
) -> Servable:
    """Load a file onto a device, for inference, and run its warm-up requests by `run_on`.

    Raises InvalidServable if the file is no model or damaged, if it has another SHA-256 than
    `source` says, if `try_load` fails, if its `forward` takes what no request can hold, and if a
    warm-up request fails.
    """
    source = source or ModelSource(path.name)
    verify = functools.partial(registry.verify, name=source.identifier)
    with open_verified(path, verify, source.digest, source.as_copy) as file:
        try:
            loaded = try_load(file)
        except OSError as error:
            raise file_error(error, "it can't be tried") from None
        if not loaded:
            raise InvalidServable(
                "a process that loaded it crashed, or took longer than --load-timeout"
            )
        servable = load_open(file, device, config, source, statistics, run_on)
    if servable.program.warning:
        logger.warning("%s: %s", servable.identifier, servable.program.warning)
    if servable.state:
        logger.info(KEEPS, servable.identifier, servable.state)
    return servable


def load_open(
    file: OpenFile,
    device: torch.device,
    config: ModelConfig,
    source: ModelSource,
    statistics: Statistics | None = None,
    run_on: RunOn = run_here,
) -> Servable:
    """Load a file that is open and verified."""
    make = functools.partial(
        Servable,
        device=device,
        config=config,
        source=source,
        version=file.version,
        statistics=statistics,
    )
    servable = make(backend_of(file.path, source.identifier).load(file, device))
    with torch.inference_mode():
        if config.freeze or config.optimize:
            servable = optimized(servable, make)
        if device.type == "cuda":
            # weights came in this thread's stream, the executor has streams of its own
            torch.cuda.current_stream(device).synchronize()
        warm_up(servable, run_on)
    return servable


def optimized(servable: Servable, make: Callable[..., Servable]) -> Servable:
    """The servable with an optimized program, if that gives the same results; else as it is."""
    config = servable.config
    requests = config.warmup if servable.state else warm_ups_of(servable)
    if not requests:
        toml = Path(servable.identifier).with_suffix(".toml").name
        raise InvalidServable(f"{toml}: {NO_WARM_UP}")
    try:
        program = servable.program.optimized(config)
        bare = ModelConfig(
            tf32=config.tf32, grad=config.grad, input=config.input, method=config.method
        )
        candidate = Servable(program, servable.device, bare)
        same = all(gives_the_same(servable, candidate, each.body) for each in requests)
        problem = "" if same else "it gives other results"
    except DeviceFailed:
        raise
    except Exception as error:
        problem = explain(error).partition("\n")[0]
    if problem:
        logger.warning("%s: served as it is, not frozen: %s", servable.identifier, problem)
        return servable
    return make(program)


def gives_the_same(servable: Servable, candidate: Servable, body: bytes) -> bool:
    """Whether the results for a request are equal. Each model gets inputs that it may write to."""
    expected, result = (
        method.run(method.decode(body))
        for method in (servable.main_method(), candidate.main_method())
    )
    return is_close(result, expected, servable.uses_tf32)
