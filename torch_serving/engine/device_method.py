"""A method as the executor of its device launches it: one copy in, one run, one copy out."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from torch_serving.engine.accelerator import Accelerator, Progress
from torch_serving.engine.batch_tensors import rebuilt, rows_of, split, tensors_in
from torch_serving.engine.batcher import ON, Batcher
from torch_serving.engine.cuda_graphs import GraphCache


class Launch(NamedTuple):
    """A run that a device was told to do.

    `outputs` are valid once `progress` has ended; until then, `inputs` must not be freed.
    """

    progress: Progress
    inputs: Any
    outputs: Any
    rows: int  # of the requests; 0: their tensors have no common rows
    padded_rows: int  # beyond those
    constants: bool = False  # whether no result but tensors depends on rows

    def results(self, sizes: list[int]) -> list[Any]:
        """The outputs of each request; `sizes` are their rows. Raises NotRowWise."""
        if not self.rows:
            return [self.outputs]
        if self.padded_rows:
            return split(self.outputs, [*sizes, self.padded_rows], self.constants)[:-1]
        if len(sizes) == 1:
            return [self.outputs]
        return split(self.outputs, sizes, self.constants)


class DeviceMethod:
    """`run` is the method of a program, `graphs` those that may be replayed instead of it."""

    def __init__(
        self,
        run: Callable[..., Any],
        accelerator: Accelerator,
        batcher: Batcher | None,
        graphs: GraphCache | None,
    ) -> None:
        self.accelerator = accelerator
        self.graphs = graphs
        self._run = run
        self._batcher = batcher

    def launch(self, requests: Sequence[list[Any]], rows: int) -> Launch:
        """Start a run for requests of `rows` rows in all, or for one request without rows.

        Raises what the method raises; an asynchronous device raises its own errors later.
        """
        accelerator = self.accelerator
        progress = accelerator.begin()
        capacity = self._capacity(rows) if rows else 0
        inputs = gathered(accelerator, requests, rows, capacity)
        are_tensors = all(isinstance(each, torch.Tensor) for each in inputs)
        graphs = self.graphs if are_tensors else None
        graph = None if graphs is None else graphs.find(inputs)
        if graph is not None:
            accelerator.copy_into(graph.inputs, inputs)
            progress.set_copied()
            graph.replay()
            outputs = graph.outputs
        else:
            arrived = copied_in(accelerator, inputs)
            progress.set_copied()
            try:
                outputs = self._run(*arrived)
            except Exception:
                if graphs is not None:
                    graphs.forget(inputs)
                raise
        progress.set_run()
        outputs = copied_out(accelerator, outputs)
        progress.set_ended()
        constants = self._batcher is not None and self._batcher.limit is not None
        return Launch(progress, inputs, outputs, rows, max(0, capacity - rows), constants)

    def run(self, *arguments: Any) -> Any:
        """Run one request, in any thread, and wait for its outputs in host memory."""
        inputs, rows = list(arguments), 0
        if self._batcher is not None and self._batcher.state is ON:
            rows = rows_of(inputs) or 0
        launch = self.launch([inputs], rows)
        launch.progress.wait()
        return launch.results([rows])[0]

    def _capacity(self, rows: int) -> int:
        """The rows of a run: few sizes, as a device takes long for one that is new to it."""
        limit = self._batcher.max_rows if self._batcher else 0
        if not self.accelerator.pads or rows > limit:
            return rows
        return min(1 << (rows - 1).bit_length(), limit)


def gathered(
    accelerator: Accelerator, requests: Sequence[list[Any]], rows: int, capacity: int
) -> list[Any]:
    """The arguments of all requests as one, in memory that a device copies from."""
    if not rows:
        return [with_tensors(value, lambda t: ready(accelerator, t)) for value in requests[0]]
    columns = zip(*requests, strict=True)
    return [gather(accelerator, column, rows, capacity) for column in columns]


def ready(accelerator: Accelerator, tensor: torch.Tensor) -> torch.Tensor:
    if accelerator.is_ready(tensor):
        return tensor
    return accelerator.host_tensor(tensor.shape, tensor.dtype).copy_(tensor)


def gather(accelerator: Accelerator, values: Sequence[Any], rows: int, capacity: int) -> Any:
    """Values of one batch key -> one value; its rows are those of all, then copies of the last."""
    first = values[0]
    if isinstance(first, torch.Tensor):
        if len(values) == 1 and rows == capacity:
            return ready(accelerator, first)
        target = accelerator.host_tensor((capacity, *first.shape[1:]), first.dtype)
        torch.cat(list(values), out=target[:rows])
        if rows < capacity:
            target[rows:] = target[rows - 1]
        return target
    if isinstance(first, list | tuple):
        parts = zip(*values, strict=True)
        return rebuilt(first, [gather(accelerator, part, rows, capacity) for part in parts])
    if isinstance(first, dict):
        return {
            key: gather(accelerator, [value[key] for value in values], rows, capacity)
            for key in first
        }
    return first


def copied_in(accelerator: Accelerator, inputs: list[Any]) -> list[Any]:
    """The same arguments with all tensors on the device."""
    tensors = [tensor for value in inputs for tensor in tensors_in(value)]
    arrived = iter(accelerator.copy_in(tensors))
    return [with_tensors(value, lambda _: next(arrived)) for value in inputs]


def copied_out(accelerator: Accelerator, outputs: Any) -> Any:
    """The outputs in host memory, once the launch has ended: also what the method copied itself."""
    kind = accelerator.device.type
    return with_tensors(
        outputs, lambda each: accelerator.copy_out(each) if each.device.type == kind else each
    )


def with_tensors(value: Any, change: Callable[[Any], Any], kinds: Any = torch.Tensor) -> Any:
    """The same value with other tensors, or others of `kinds`."""
    if isinstance(value, kinds):
        return change(value)
    if isinstance(value, list | tuple):
        return rebuilt(value, [with_tensors(part, change, kinds) for part in value])
    if isinstance(value, dict):
        return {key: with_tensors(part, change, kinds) for key, part in value.items()}
    return value
