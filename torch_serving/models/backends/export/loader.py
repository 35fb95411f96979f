"""A verified `.pt2` archive -> a program."""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from torch_serving.engine.device_errors import device_error
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.contents import (
    Contents,
    contents_of,
    open_archive,
    parse_document,
)
from torch_serving.models.backends.export.archive.evaluated import check_evaluated
from torch_serving.models.backends.export.archive.payloads import Json, read_payloads
from torch_serving.models.backends.export.archive.sample_inputs import read_sample_inputs
from torch_serving.models.backends.export.graph.script import script
from torch_serving.models.backends.export.graph.source import (
    StoredTensor,
    attribute_of,
    check_serves,
    stored_tensors,
    translate,
)
from torch_serving.models.backends.export.graph.values import Untranslatable
from torch_serving.models.backends.export.graph.weights import Weights, read_weights
from torch_serving.models.backends.export.package.loader import load_package
from torch_serving.models.backends.export.program import ExportedProgram
from torch_serving.models.backends.export.python_program import PythonProgram, python_method
from torch_serving.models.backends.export.signature.signature import (
    ProgramSignature,
    program_signature,
)
from torch_serving.models.backends.interfaces import Program, SampleInputs
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.files import OpenFile

MAX_SAMPLE_BYTES = 4 << 20  # larger inputs are not kept to show them
NO_PROGRAM = "it holds no program of torch.export"


class Parts(NamedTuple):
    """What a program is made of."""

    document: Json
    called: ProgramSignature
    stored: Mapping[str, StoredTensor]
    weights: Weights
    device: torch.device

    def parameters(self) -> list[torch.Tensor]:
        """The weights: buffers and constants are none."""
        return [
            self.weights.tensors[name]
            for name, each in self.stored.items()
            if each.kind == "parameter"
        ]


def load(file: OpenFile, device: torch.device) -> Program:
    """Load a verified file onto a device. Raises InvalidServable, OutOfMemory or DeviceFailed.

    A package runs rather than the program beside it, unless it can't run here.
    """
    with open_archive(file.path) as archive:
        held = contents_of(archive)
        if held.package is None:
            return load_program(file, device)
        try:
            return load_package(archive, held, device, samples_of(file, held))
        except InvalidServable as error:
            if held.program is None:
                raise
            program = load_program(file, device)
            program.warning = f"its program runs, not its package: {error.detail}"
            program.runs = f"{program.runs}, not as its package: {error.detail}"
            return program


def samples_of(file: OpenFile, held: Contents) -> SampleInputs | None:
    if held.program is None:
        return None
    return read_sample_inputs(file.path, MAX_SAMPLE_BYTES)


def load_program(file: OpenFile, device: torch.device) -> ExportedProgram | PythonProgram:
    parts = read(file, device)
    try:
        return as_torchscript(parts)
    except Untranslatable as error:
        return as_python(parts, str(error))


def read(file: OpenFile, device: torch.device) -> Parts:
    """Read the program in a file."""
    with open_archive(file.path) as archive:
        held = contents_of(archive)
        if held.program is None:
            raise InvalidServable(NO_PROGRAM)
        document = parse_document(archive, held)
        check_serves(document)
        samples = samples_of(file, held)
        called = program_signature(document)._replace(sample_inputs=samples)
        stored = stored_tensors(document)
        payloads = read_payloads(archive, held.root, held.program)
        try:
            weights = read_weights(archive, payloads, stored, device)
        except (RuntimeError, MemoryError) as error:
            problem = device_error(error, "the model")
            if problem is None:
                raise
            raise problem from error
    return Parts(document, called, stored, weights, device)


def as_torchscript(parts: Parts) -> ExportedProgram:
    """Raises Untranslatable."""
    tensors = {attribute_of(name): tensor for name, tensor in parts.weights.tensors.items()}
    try:
        source = translate(parts.document, parts.device)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        raise InvalidServable("the program's document is damaged: its graph") from None
    module = script(source, tensors)
    names = {attribute_of(name): each.name for name, each in parts.stored.items()}
    return ExportedProgram(
        TorchScriptProgram(module), parts.called, names, parts.parameters(), parts.weights.bytes
    )


def as_python(parts: Parts, reason: str) -> PythonProgram:
    document, called, stored, weights, device = parts
    check_evaluated(document)
    method = python_method(document, called, stored, weights.tensors, device)
    return PythonProgram(method, called, parts.parameters(), weights.bytes, reason)
