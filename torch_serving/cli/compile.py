"""`torch-serving compile`: a model and its AOTInductor package in one file."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch_serving.cli.flag_types import batch_size, one_of
from torch_serving.cli.flags import Parser
from torch_serving.cli.model_file import add_imports, load_model
from torch_serving.cli.near_path import check_file, near_path
from torch_serving.cli.progress import Progress
from torch_serving.cli.requirements import required_modules
from torch_serving.cli.run import read_data
from torch_serving.errors import StartupError
from torch_serving.models.compilation.toolchain import check_compiler
from torch_serving.models.compilation.workplace import reserved, workplace
from torch_serving.models.file_names import MANIFEST, SIDECARS

if TYPE_CHECKING:  # torch takes a second
    from torch_serving.models.compilation.job import Job

DESCRIPTION = """\
Compile an exported program for the processor of this machine, or for its graphics card, and write
a file that holds both. The package is tried with the program's example inputs and with others
before the file is written. A TorchScript model is converted first, with a request that it takes.
"""
EXIT_FAILED = 1  # it can't be compiled, or gives other results
SUFFIX = ".pt2"
NO_REQUEST = (
    "is TorchScript, which does not tell what it takes: give --example @body.json, a request that "
    "it takes"
)


def compile_model(argv: Sequence[str]) -> int:
    """Write a file with a program and its package; print how they compare."""
    arguments = read_arguments(argv)
    model = arguments.model
    check_file(model)
    output = arguments.output or default_output(model)
    check_output(output, model, arguments.force)
    with workplace() as folder, reserved(output) as draft, Progress() as progress:
        progress.step("trying the C++ compiler")
        check_compiler(folder)
        progress.step("loading the model")
        with required_modules():
            from torch_serving.models.compilation.job import quiet
        with quiet():
            job = prepared(arguments, folder, progress)
            problem, lines = compiled(job, draft, progress)
    if problem:
        print(f"torch-serving: {model.name}: {problem}", file=sys.stderr)
        return EXIT_FAILED
    print("\n".join([summary(output, job, progress), *lines]))
    tell_sidecars(model, output)
    return 0


def read_arguments(argv: Sequence[str]) -> argparse.Namespace:
    return build_parser().read(argv)


def build_parser() -> Parser:
    parser = Parser("compile", description=DESCRIPTION)
    parser.add_argument(
        "model", type=Path, help="a file saved with torch.export.save, or with torch.jit.save"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="the file to write (default: MODEL.compiled.pt2 beside it)",
    )
    parser.add_argument(
        "--device",
        metavar="{cpu,cuda}",
        type=lambda text: one_of(("cpu", "cuda"), text),
        default="cpu",
        help="what to compile for (default: cpu)",
    )
    parser.add_argument(
        "--max-batch",
        metavar="N",
        type=batch_size,
        help="the most rows of a batch (default: what the program says)",
    )
    parser.add_argument(
        "--example",
        metavar="BODY",
        dest="examples",
        action="append",
        default=[],
        help="for a TorchScript model, a request that it takes, or @FILE; may be repeated",
    )
    add_imports(parser)
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    return parser


def default_output(model: Path) -> Path:
    return model.with_name(f"{model.stem.removesuffix('.compiled')}.compiled{SUFFIX}")


def check_output(output: Path, model: Path, force: bool) -> None:
    """Raise StartupError for a file that can't be written, or that must not be."""
    if output.is_dir():
        raise StartupError(f"--output: {output} is a folder; name a file in it")
    if output.suffix != SUFFIX:
        raise StartupError(f"--output: expected a name that ends with {SUFFIX}, got {output.name}")
    if not output.parent.is_dir():
        raise StartupError(f"--output: no such folder: {output.parent}{near_path(output.parent)}")
    if not force and output.exists():
        raise StartupError(f"{output} is there already; --force writes over it, -o names another")


def prepared(arguments: argparse.Namespace, folder: Path, progress: Progress) -> "Job":
    """Load the model, and convert it if need be. Raises StartupError."""
    from torch_serving.models.backends.torchscript.archive import is_archive
    from torch_serving.models.compilation import job
    from torch_serving.models.compilation.programs import check_program

    model, device = arguments.model, arguments.device
    job.check_device(device)
    bodies = [read_data(each) for each in arguments.examples]
    is_script = is_archive(model)  # what is neither is explained where it is read
    if bodies and not is_script:
        raise StartupError("--example: an exported program has its example inputs in its file")
    if not is_script:
        check_program(model)
    _, servable = load_model(model, device, arguments.imports)
    if not is_script:
        program = job.read_program(model, arguments.max_batch)
        before = job.without_package(servable, program, folder)
        return job.Job(program, before, device, folder)
    bodies += [each.body for each in servable.config.warmup]
    if not bodies:
        raise StartupError(f"{model.name} {NO_REQUEST}")
    progress.step("converting it to an exported program")
    converted, requests = job.convert_model(model, servable, bodies, arguments.max_batch)
    return job.Job(converted, servable, device, folder, requests)


def compiled(job: "Job", draft: Path, progress: Progress) -> tuple[str, list[str]]:
    """Compile, compare and write. Returns what is wrong, and the lines of the comparison."""
    from torch_serving.models.compilation.package import CompilationFailed

    progress.follow(job.step)
    try:
        job.compile()
        progress.step("comparing the package with the program")
        comparisons = list(job.compare())
    except CompilationFailed as error:
        return f"it can't be compiled: {error}", []
    problem = job.problem_in(comparisons)
    if problem:
        return problem, []
    progress.step("writing the file")
    job.write(draft)
    return "", job.lines(comparisons)


def summary(output: Path, job: "Job", progress: Progress) -> str:
    return (
        f"{output}: {output.stat().st_size:,} bytes, the program and its package for "
        f"{job.target}, in {progress.elapsed_s:.0f} s"
    )


def tell_sidecars(model: Path, output: Path) -> None:
    """Say which settings beside the model are not beside the new file, and who must know it."""
    if output.with_name(MANIFEST).exists():
        print(f"{MANIFEST} must list {output.name}, or no server takes it")
    for suffix in SIDECARS:
        old, new = model.with_suffix(suffix), output.with_suffix(suffix)
        if old != new and old.exists() and not new.exists():
            print(f"{old.name} holds for {model.name} only; copy it to {new.name} for the new file")
