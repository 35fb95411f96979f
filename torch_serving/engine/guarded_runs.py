"""Runs of methods that are no function of their arguments alone."""

import threading
from collections.abc import Callable
from typing import Any

import torch

from torch_serving.engine.batch_tensors import TENSORS, tensors_in
from torch_serving.engine.device_method import with_tensors

Run = Callable[..., Any]


def one_at_a_time(run: Run, lock: threading.Lock) -> Run:
    """Return a function that runs alone, and whose results no later run changes."""

    def run_alone(*arguments: Any) -> Any:
        with lock:
            return with_tensors(run(*arguments), copied, TENSORS)

    return run_alone


def copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value.copy()


def with_arrived(run: Run, device: torch.device) -> Run:
    """Return a function that waits for results which the method itself copies to host memory."""

    def run_and_wait(*arguments: Any) -> Any:
        outputs = run(*arguments)
        if not all(each.is_cuda for each in tensors_in(outputs)):
            torch.cuda.current_stream(device).synchronize()
        return outputs

    return run_and_wait


def with_gradients(run: Run) -> Run:
    """Return a function that may differentiate, whatever mode its thread is in."""

    def run_with_gradients(*arguments: Any) -> Any:
        with torch.inference_mode(False), torch.enable_grad():
            # what was made in inference mode has no gradients, its copies have
            inputs = [with_tensors(each, torch.clone) for each in arguments]
            return with_tensors(run(*inputs), torch.Tensor.detach)

    return run_with_gradients


def on_card(run: Run, device: torch.device, forks: bool, is_copied: bool) -> Run:
    """Return a function whose work is in the stream of its caller, or as if it were.

    `is_copied`: its results are copied as soon as it returns.
    """
    if forks:
        run = in_default_stream(run, device)
    return with_arrived(run, device) if is_copied else run


def in_default_stream(run: Run, device: torch.device) -> Run:
    """Return a function that works in the default stream of a card, between what its caller does.

    Threads of torch that run parts of a method know no other stream.
    """

    def run_in_default_stream(*arguments: Any) -> Any:
        own, default = torch.cuda.current_stream(device), torch.cuda.default_stream(device)
        default.wait_stream(own)
        try:
            with torch.cuda.stream(default):
                outputs = run(*arguments)
        finally:
            own.wait_stream(default)
        return with_tensors(outputs, lambda each: used_in(own, each))

    return run_in_default_stream


def used_in(stream: torch.cuda.Stream, tensor: torch.Tensor) -> torch.Tensor:
    """Let nobody have the memory of a tensor before a stream is done with it."""
    if tensor.is_cuda:
        tensor.record_stream(stream)
    return tensor
