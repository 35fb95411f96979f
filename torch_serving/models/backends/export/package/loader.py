"""The package in a verified `.pt2` archive -> a program."""

import zipfile
from pathlib import Path

import torch

from torch_serving.models.backends.export.archive.contents import Contents, parse_document
from torch_serving.models.backends.export.package import calls, proxied
from torch_serving.models.backends.export.package._aoti import Package, PackageError
from torch_serving.models.backends.export.package.calling import (
    AnyPackage,
    own_calling,
    program_calling,
)
from torch_serving.models.backends.export.package.folder import PackageFolder
from torch_serving.models.backends.export.package.library import (
    LIBRARY,
    RUNNERS,
    file_problem,
    load_library,
    package_files,
    prepare,
    refusal,
)
from torch_serving.models.backends.export.package.machine import check_machine, compiled_for
from torch_serving.models.backends.export.package.package import PackageProgram
from torch_serving.models.backends.export.package.proxied import ProxiedPackage
from torch_serving.models.backends.interfaces import SampleInputs

PACKAGES = "data/aotinductor/"
NOT_TOLD = (
    "its file has no program that tells types and shapes: unless TOML declares them, only its "
    "library checks them"
)
MAY_ABORT = (
    "its library checks indices in loops of several threads: one out of range in a request ends "
    "the process; compile it with `torch-serving compile`, or with cpp.threads = 1"
)


def load_package(
    archive: zipfile.ZipFile,
    held: Contents,
    device: torch.device,
    samples: SampleInputs | None = None,
) -> PackageProgram:
    """Load the package in an archive onto a device. Raises InvalidServable, OutOfMemory.

    `samples` are the sample inputs of the program beside it.
    """
    name = str(held.package)
    files = package_files(archive, f"{held.root}{PACKAGES}{name}/")
    check_machine(files.metadata, device)
    document = None if held.program is None else parse_document(archive, held)
    runners = 1 if document and calls.divides_integers(document) else RUNNERS
    library = load_library(archive, files, device, runners, checks_inputs=document is None)
    package: AnyPackage = library.package
    runs = f"AOTInductor package, compiled for {compiled_for(files.metadata)}"
    if files.needs_loader:
        package = load_proxied(archive, held, library.package, device)
        runs = f"{runs}, {proxied.RUNS}"
    if document is None:
        runs = f"{runs}; {NOT_TOLD}"
        calling = own_calling(package)
    else:
        calling = program_calling(document, package, samples)
    program = PackageProgram(package, library.calls, calling, device, runs)
    program.warning = MAY_ABORT if calls.may_abort(library.calls) else ""
    return program


def load_proxied(
    archive: zipfile.ZipFile, held: Contents, library: Package, device: torch.device
) -> ProxiedPackage:
    """Have torch load a package. It would leave its own folder behind where that fails."""
    try:
        names = [each for each in archive.namelist() if each.startswith(held.root + PACKAGES)]
        folder = PackageFolder(archive, names, held.root)
        for path in Path(folder.path).rglob(f"*{LIBRARY}"):
            with path.open("r+b") as file:
                prepare(file.fileno(), held.program is None)
        return ProxiedPackage(folder, str(held.package), library, device)
    except OSError as error:
        raise file_problem(error) from error
    except PackageError as error:
        raise refusal(error) from error
