"""CUDA graphs: what a method launches for inputs of one shape, captured once and then replayed.

To launch the operators of a model takes the CPU longer than the card takes to run them, where
batches are small. A replay launches all of them at once.
"""

import logging
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from torch_serving.engine.accelerator import Accelerator, Graph
from torch_serving.engine.batch_tensors import changed, is_close, tensors_in
from torch_serving.engine.device_errors import device_error, explain, own_text, trace_of
from torch_serving.engine.memory import ALLOCATOR, empty_cache
from torch_serving.errors import OutOfMemory

logger = logging.getLogger(__name__)

EAGER_RUNS = 3  # of a shape before it is captured: TorchScript compiles in the first ones
MAX_SHAPES = 64  # of one method; the one that was not used for longest is forgotten
Shapes = tuple[tuple[torch.Size, torch.dtype], ...]


_caches: "weakref.WeakSet[GraphCache]" = weakref.WeakSet()
_caches_lock = threading.Lock()


def graphs_on(device: torch.device) -> int:
    """How many graphs there are for a device."""
    with _caches_lock:  # another thread may load a model
        caches = list(_caches)
    return sum(len(each) for each in caches if each.device == device)


class NoGraph(Exception):
    """A graph gives other results than the method itself."""


@dataclass
class Entry:
    """What is known of inputs of one shape."""

    runs: int = 0
    graph: Graph | None = None
    was_short: bool = False  # there was no memory for its graph
    is_refused: bool = False  # nor was there after torch had given back what it kept


class GraphCache:
    """The graphs of one method, by the shapes of its inputs. For its executor's thread."""

    def __init__(
        self,
        model: str,
        run: Callable[..., Any],
        accelerator: Accelerator,
        is_close: Callable[[Any, Any], bool] = is_close,
    ) -> None:
        """`is_close` says whether two results are the same but for rounding."""
        self.is_on = True
        self._is_close = is_close
        self._model = model
        self._run = run
        self._accelerator = accelerator
        self._pool: Any = None
        self._entries: OrderedDict[Shapes, Entry] = OrderedDict()
        with _caches_lock:
            _caches.add(self)

    @property
    def device(self) -> torch.device:
        return self._accelerator.device

    def __len__(self) -> int:
        return sum(entry.graph is not None for entry in list(self._entries.values()))

    def find(self, inputs: list[torch.Tensor]) -> Graph | None:
        """Return the graph for inputs in host memory, and capture it if it is time to.

        None: the method is to be run itself.
        """
        if not self.is_on or not self._accelerator.can_capture():
            return None
        entry = self._entry(shapes_of(inputs))
        entry.runs += 1
        if entry.graph is None and entry.runs > EAGER_RUNS and not entry.is_refused:
            self._capture(entry, inputs)
        return entry.graph

    def forget(self, inputs: list[torch.Tensor]) -> None:
        """The method refused these inputs: runs of their shape so far are no reason to capture.

        Else whoever sends bad requests would cost all others the graphs.
        """
        if self._accelerator.can_capture():
            self._entries.pop(shapes_of(inputs), None)

    def _entry(self, shapes: Shapes) -> Entry:
        entry = self._entries.get(shapes)
        if entry is None:
            entry = self._entries[shapes] = Entry()
            if len(self._entries) > MAX_SHAPES:
                self._entries.popitem(last=False)
        self._entries.move_to_end(shapes)
        return entry

    def _capture(self, entry: Entry, inputs: list[torch.Tensor]) -> None:
        try:
            entry.graph = self._verified(self._accelerator.copy_in(inputs))
        except Exception as error:
            problem = device_error(error)
            if isinstance(problem, OutOfMemory):
                entry.is_refused = not empty_cache(self.device, error) or entry.was_short
                entry.was_short = True
            elif problem is not None and not is_of_capture(error):
                raise
            else:
                self._turn_off(explain(error).partition("\n")[0])

    def _verified(self, inputs: list[torch.Tensor]) -> Graph:
        """Capture, and compare the results for other inputs. Raises NoGraph."""
        if not len(self):  # torch takes no pool again whose last graph is gone
            self._pool = self._accelerator.graph_pool()
        with ALLOCATOR:
            graph = self._accelerator.capture(self._run, inputs, self._pool)
        if any(each.device.type != self.device.type for each in tensors_in(graph.outputs)):
            raise NoGraph("a replay would overwrite results in host memory that are being read")
        others = [changed(each) for each in inputs]
        expected = self._run(*[each.clone() for each in others])
        for target, other in zip(graph.inputs, others, strict=True):
            target.copy_(other)
        progress = self._accelerator.begin()
        graph.replay()
        progress.set_ended()
        progress.wait()  # torch would unmap the memory of a graph that is given up under its replay
        if not self._is_close(graph.outputs, expected):
            raise NoGraph("a replay gives other results than a run")
        return graph

    def _turn_off(self, problem: str) -> None:
        self.is_on = False
        self._entries.clear()
        logger.warning("%s: runs without CUDA graphs: %s", self._model, problem)


def shapes_of(inputs: list[torch.Tensor]) -> Shapes:
    return tuple([(each.shape, each.dtype) for each in inputs])


def is_of_capture(error: Exception) -> bool:
    """Whether a method did what no graph can hold; the device goes on working."""
    return "captur" in own_text(trace_of(error))
