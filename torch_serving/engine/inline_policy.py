"""Which requests are known to be short, so that they may run inline: on the event loop."""

import threading
from typing import Any

import torch

# A run that takes no longer may hold up the event loop.
SHORT_S = 0.001
# A run of up to this may only have been preempted, or have waited for the GIL: two in a row demote
# the shapes. Else all requests of a turn would go to the threads, whose queue may be too short.
PREEMPTED_S = 0.02
# To hand a request over to a thread and back takes about as long.
SHORT_DECODE_S = 0.0001
# The first runs of a method are slower: TorchScript profiles and specialises.
WARM_UP_RUNS = 3
MAX_SHAPES = 256
Shapes = tuple[torch.Size, ...]


class InlinePolicy:
    """Which requests may run inline, by the run times of earlier requests.

    A request may if its body is no larger and its inputs have the same shapes as those of a request
    that took at most SHORT_S. Two longer runs in a row, or a very long one, demote their shapes
    until a run in a thread is short again. Safe to use from any thread.
    """

    def __init__(self, bounded: bool) -> None:
        self.bounded = bounded
        self._lock = threading.Lock()  # of changes to what is below
        self._runs = 0
        self._short_bytes = -1
        # -> whether the last run took longer than it may; the oldest first
        self._short_shapes: dict[Shapes, bool] = {}

    def may_run_inline(self, body_bytes: int) -> bool:
        """Whether a body of this size is worth decoding on the event loop."""
        return body_bytes <= self._short_bytes

    def can_run_inline(self, inputs: list[Any]) -> bool:
        """Whether a decoded request is known to be short."""
        return shapes_of(inputs) in self._short_shapes

    def record(self, body_bytes: int, inputs: list[Any], elapsed_s: float) -> None:
        self._runs += 1
        if not self.bounded or self._runs <= WARM_UP_RUNS:
            return
        shapes = shapes_of(inputs)
        if shapes is None:
            return
        if elapsed_s > SHORT_S or self._short_shapes.get(shapes) is not False:
            with self._lock:
                self._update(body_bytes, shapes, elapsed_s)

    def record_decode(self, body_bytes: int, elapsed_s: float) -> None:
        """Record how long a body took that was decoded apart from its run."""

    def _update(self, body_bytes: int, shapes: Shapes, elapsed_s: float) -> None:
        was_slow = self._short_shapes.get(shapes)
        if elapsed_s <= SHORT_S:
            if was_slow is None:
                self._forget_oldest()
                self._short_bytes = max(self._short_bytes, body_bytes)
            self._short_shapes[shapes] = False
        elif was_slow is False and elapsed_s <= PREEMPTED_S:
            self._short_shapes[shapes] = True
        else:
            self._short_shapes.pop(shapes, None)

    def _forget_oldest(self) -> None:
        if len(self._short_shapes) >= MAX_SHAPES:
            del self._short_shapes[next(iter(self._short_shapes))]


class DecodePolicy(InlinePolicy):
    """Which bodies are decoded on the event loop, for methods that a device's executor runs.

    A body is if it is no larger than one that took at most SHORT_DECODE_S. One that took longer
    makes all of its size and more be decoded in threads, until one of them is short again.
    """

    def can_run_inline(self, inputs: list[Any]) -> bool:
        """Nothing of a device runs on the event loop: no request's share tells its batch's time."""
        return False

    def record(self, body_bytes: int, inputs: list[Any], elapsed_s: float) -> None:
        """Runs say nothing of decoding."""

    def record_decode(self, body_bytes: int, elapsed_s: float) -> None:
        if elapsed_s > SHORT_DECODE_S:
            self._short_bytes = min(self._short_bytes, body_bytes - 1)
        elif body_bytes > self._short_bytes:
            self._short_bytes = body_bytes


def shapes_of(inputs: list[Any]) -> Shapes | None:
    """The shapes of tensors; None for inputs that are anything else."""
    try:
        return tuple([tensor.shape for tensor in inputs])
    except AttributeError:
        return None
