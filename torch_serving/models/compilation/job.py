"""One model that is compiled: from its program to a file with program and package."""

import logging
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from torch_serving.errors import ServingError, StartupError
from torch_serving.models.compilation.comparison import Comparison, Refused, Run, compare
from torch_serving.models.compilation.conversion import INSTEAD, NotConverted, convert
from torch_serving.models.compilation.package import compile_program, write_package
from torch_serving.models.compilation.programs import bound_batch, load_program
from torch_serving.models.compilation.sizes import Inputs
from torch_serving.models.servable import Servable

PACKED = "model.pt2"


class Job:
    """Compiles one program in a folder. `run` is the model as it ran before, of some `kind`."""

    kind = "program"

    def __init__(self, program: ExportedProgram, device: str, folder: Path, run: Run) -> None:
        self.program = program
        self.device = device
        self.folder = folder
        self.packed = folder / PACKED
        self.inputs = Inputs(program)
        self._run = run
        self._more: list[list[Any]] = []  # requests of its owner, as flat inputs

    @classmethod
    def of_program(cls, model: Path, device: str, folder: Path, max_batch: int | None) -> "Job":
        """Read a program. Raises StartupError."""
        program = load_program(model)
        if max_batch is not None:
            bound_batch(program, max_batch)
        return cls(program, device, folder, flat_run(program, Inputs(program)))

    @classmethod
    def of_torchscript(
        cls, model: Path, servable: Servable, bodies: Sequence[bytes], device: str, folder: Path,
        max_batch: int | None,
    ) -> "Job":  # fmt: skip
        """Convert a TorchScript model, with the first of the requests. Raises StartupError."""
        method = servable.main_method()
        module = torch.jit.load(model, "cpu").eval()  # type: ignore[no-untyped-call]
        try:
            requests = [method.decode(body) for body in bodies]
            program = convert(module, method, requests[0], max_batch)
        except ServingError as error:
            raise StartupError(f"--example: {error.reason}") from None
        except NotConverted as error:
            raise StartupError(f"{model.name} can't be converted: {error}; {INSTEAD}") from error
        job = cls(program, device, folder, lambda leaves: run_method(job, method, leaves))
        job.kind = "TorchScript"
        job._more = [torch.utils._pytree.tree_leaves(each) for each in requests]
        return job

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
        files = compile_program(self.program, self.device)
        write_package(self.packed, self.program, files)

    def compare(self) -> Iterator[Comparison | Refused]:
        """Run program and package with the example inputs, and with others."""
        torch.set_num_threads(1)  # as the server runs one request
        package = torch._inductor.aoti_load_package(str(self.packed))

        def run_package(leaves: Sequence[Any]) -> Any:
            args, kwargs = self.inputs.arguments([moved(each, self.device) for each in leaves])
            return package(*args, **kwargs)

        names = [str(name) for name in self.program.graph_signature.user_inputs]
        return compare(self._run, run_package, names, self._requests())

    def _requests(self) -> Iterator[list[Any]]:
        """The example of the program, those of its owner, and others, each of other shapes."""
        known = set()
        for leaves in chain([self.inputs.example], self._more, self.inputs.others()):
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
            if isinstance(each, Comparison) and not each.same:
                return (
                    f"the package gives other results than the program for {each.inputs}; nothing "
                    "was written (a model that draws random numbers must be exported after "
                    "model.eval())"
                )
        return ""

    def lines(self, comparisons: Iterable[Comparison | Refused]) -> list[str]:
        """The comparison as a table for people."""
        done = [each for each in comparisons if isinstance(each, Comparison)]
        rows = [("inputs", "difference", self.kind, "package", "")]
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
        return [*table, f"largest relative difference {largest:.1e}", *refused]

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


def moved(leaf: Any, device: str) -> Any:
    return leaf.to(device) if isinstance(leaf, torch.Tensor) else leaf


def flat_run(program: ExportedProgram, inputs: Inputs) -> Run:
    module = program.module(check_guards=True)

    def run(leaves: Sequence[Any]) -> Any:
        args, kwargs = inputs.arguments(leaves)
        return module(*args, **kwargs)

    return run


def run_method(job: Job, method: Any, leaves: Sequence[Any]) -> Any:
    args, _ = job.inputs.arguments(leaves)
    return method.run(list(args))


@contextmanager
def quiet() -> Iterator[None]:
    """Let torch say nothing: what matters is raised."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def check_device(device: str) -> None:
    """Raise StartupError for a device that is not here: what is compiled is tried, too."""
    if device == "cuda" and not torch.cuda.is_available():
        raise StartupError("--device cuda: there is no such device here, and none is emulated")
