"""One model that is compiled: from its program to a file with program and package."""

import logging
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from torch_serving.engine.batch_tensors import rebuilt
from torch_serving.engine.devices import device_of, not_here
from torch_serving.errors import ServingError, StartupError
from torch_serving.models.backends.export.package.package import PackageProgram
from torch_serving.models.compilation.comparison import Bind, Comparison, Refused, Run, compare
from torch_serving.models.compilation.conversion import INSTEAD, NotConverted, convert
from torch_serving.models.compilation.package import (
    CompilationFailed,
    compile_program,
    write_package,
)
from torch_serving.models.compilation.programs import bound_batch, load_program
from torch_serving.models.compilation.sizes import Inputs
from torch_serving.models.loader import load
from torch_serving.models.servable import Servable

PACKED = "model.pt2"
UNPACKED = "program.pt2"
ADVICE = "exported with another range of sizes, or as it is, the program can be served"
DRAWS = (
    "it draws random numbers, so that only shapes and types were compared; a program that should "
    "not must be exported after model.eval()"
)


class Job:
    """Compiles one program in a folder. `before` is its model as the server runs it now."""

    def __init__(
        self,
        program: ExportedProgram,
        before: Servable,
        device: str,
        folder: Path,
        requests: Sequence[list[Any]] = (),
    ) -> None:
        """`requests` are inputs that the model's owner gave; they are compared, too."""
        self.program = program
        self.device = device
        self.folder = folder
        self.packed = folder / PACKED
        self.inputs = Inputs(program)
        self._before = before
        self._draws = before.program.methods()[before.main_name].draws
        self._given = [pytree.tree_leaves(each) for each in requests]

    @property
    def target(self) -> str:
        """What it is compiled for, in words."""
        if self.device == "cuda":
            return f"cuda ({torch.cuda.get_device_name()})"
        return f"cpu ({torch.backends.cpu.get_cpu_capability()})"

    def step(self) -> str:
        """What compiling is at, as its files tell."""
        written = self.folder / "inductor"
        if any(written.glob("*/*.wrapper.so")):
            return "linking the package"
        if any(written.glob("*/*.wrapper.cpp")):
            return "compiling its C++"
        return "writing C++ for the program"

    def compile(self) -> None:
        """Make the package. Raises CompilationFailed."""
        files = compile_program(self.program, self.device, is_only_one=True)
        write_package(self.packed, self.program, files)

    def compare(self) -> Iterator[Comparison | Refused]:
        """Run program and package as a server does, with the example inputs, and with others.

        Raises CompilationFailed where the server can't run the package.
        """
        torch.set_num_threads(1)  # as the server runs one request
        package = served(self.packed, self.device)
        names = [str(name) for name in self.program.graph_signature.user_inputs]
        before, after = self._bind(self._before), self._bind(package)
        return compare(before, after, names, self._requests(), self._draws)

    def _bind(self, servable: Servable) -> Bind:
        """A run of a model with arguments as requests bring them."""
        run = servable.main_method().run
        method = servable.program.methods()[servable.main_name]

        def bind(leaves: Sequence[Any]) -> Run:
            if method.takes_arrays:
                leaves = [as_array(each) for each in leaves]
            positional, by_name = self.inputs.arguments(leaves)
            return partial(run, [plain(each) for each in (*positional, *by_name.values())])

        return bind

    def _requests(self) -> Iterator[list[Any]]:
        """The example of the program, those of its owner, and others, each of other shapes."""
        known = set()
        for leaves in chain([self.inputs.example], self._given, self.inputs.others()):
            shapes = tuple(each.shape for each in leaves if isinstance(each, torch.Tensor))
            if shapes not in known:
                known.add(shapes)
                yield list(leaves)

    def problem_in(self, comparisons: Sequence[Comparison | Refused]) -> str:
        """Why the package must not be served; empty if it may."""
        first = comparisons[0]
        if isinstance(first, Refused):
            return f"the program does not take its own example inputs: {first.reason}"
        for each in comparisons:
            if isinstance(each, Comparison) and each.problem:
                return (
                    f"the package {each.problem} for {each.inputs}: nothing was written; {ADVICE}"
                )
        return ""

    def lines(self, comparisons: Iterable[Comparison | Refused]) -> list[str]:
        """The comparison as a table for people."""
        done = [each for each in comparisons if isinstance(each, Comparison)]
        rows = [("inputs", "difference", "before", "package", "")]
        rows += [row_of(each) for each in done]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        table = [
            "  ".join([row[0].ljust(widths[0]), *padded(row, widths), row[4]]).rstrip()
            for row in rows
        ]
        largest = max((each.relative for each in done), default=0.0)
        refused = [
            f"the program itself refuses {each.inputs}: {each.reason}"
            for each in comparisons
            if isinstance(each, Refused)
        ]
        verdict = DRAWS if self._draws else f"largest relative difference {largest:.1e}"
        return [*table, verdict, *refused]

    def write(self, path: Path) -> None:
        """Copy the finished file."""
        shutil.copyfile(self.packed, path)


def padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[column].rjust(widths[column]) for column in (1, 2, 3)]


def row_of(each: Comparison) -> tuple[str, str, str, str, str]:
    factor = each.before_s / each.after_s if each.after_s else 1.0
    times = (time_text(each.before_s), time_text(each.after_s))
    return each.inputs, f"{each.difference:.1e}", *times, f"{factor:.2f} times as fast"


def time_text(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:,.2f} ms"


def read_program(model: Path, max_batch: int | None) -> ExportedProgram:
    """Read the program in a file that was checked. Raises StartupError."""
    program = load_program(model)
    if max_batch is not None:
        bound_batch(program, max_batch)
    return program


def without_package(servable: Servable, program: ExportedProgram, folder: Path) -> Servable:
    """The model as its program runs it: a package that its file has may be of other code."""
    if not isinstance(servable.program, PackageProgram):
        return servable
    path = folder / UNPACKED
    torch.export.save(program, path)
    return load(path, servable.device)


def convert_model(
    model: Path, servable: Servable, bodies: Sequence[bytes], max_batch: int | None
) -> tuple[ExportedProgram, list[list[Any]]]:
    """Convert a TorchScript model with the first of its requests; return their inputs, too.

    Raises StartupError.
    """
    method = servable.main_method()
    module = torch.jit.load(model, "cpu").eval()  # type: ignore[no-untyped-call]
    try:
        requests = [method.decode(body) for body in bodies]
        return convert(module, method, requests[0], max_batch), requests
    except ServingError as error:
        raise StartupError(f"--example: {error.reason}") from None
    except NotConverted as error:
        raise StartupError(f"{model.name} can't be converted: {error}; {INSTEAD}") from error


def as_array(leaf: Any) -> Any:
    """A tensor as the decoder makes it for a package; numpy has no bfloat16."""
    is_tensor = isinstance(leaf, torch.Tensor) and leaf.dtype != torch.bfloat16
    return leaf.detach().numpy() if is_tensor else leaf


def plain(value: Any) -> Any:
    """An argument as requests bring it: classes that only Python knows are tuples there."""
    if isinstance(value, list | tuple):
        return rebuilt(value, [plain(part) for part in value])
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    leaves = pytree.tree_leaves(value)
    is_leaf = len(leaves) == 1 and leaves[0] is value
    return value if is_leaf or value is None else tuple([plain(each) for each in children(value)])


def children(value: Any) -> list[Any]:
    """The parts of an object of a registered class."""
    return pytree.tree_leaves(value, is_leaf=lambda part: part is not value)


def served(path: Path, device: str) -> Servable:
    """A package as a server loads it. Raises CompilationFailed where it would not run it."""
    try:
        servable = load(path, device_of(device))
    except ServingError as error:
        raise CompilationFailed(error.detail) from error
    if not isinstance(servable.program, PackageProgram):
        raise CompilationFailed(
            f"the server does not run the package here ({servable.program.runs})"
        )
    return servable


@contextmanager
def quiet() -> Iterator[None]:
    """Let torch and the models that are compared say nothing: what matters is raised."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch_serving")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def check_device(device: str) -> None:
    """Raise StartupError for a device that is not here: what is compiled is tried, too."""
    if device == "cuda" and not torch.cuda.is_available():
        raise StartupError(f"--device {device}: {not_here(device).detail}")
