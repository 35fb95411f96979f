"""A verified TorchScript file -> a program."""

import errno
import os
from typing import Any

import torch

from torch_serving._unlocked_import import unlocked
from torch_serving.engine.device_errors import device_error, explain
from torch_serving.errors import NO_DESCRIPTOR, InvalidServable, Overloaded
from torch_serving.models.backends.other_files import HINT
from torch_serving.models.backends.torchscript.archive import KIND, stored_bytes
from torch_serving.models.backends.torchscript.enums import enum_members, install_stand_ins
from torch_serving.models.backends.torchscript.missing import missing_in
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.files import OpenFile

OUT_OF_DESCRIPTORS = os.strerror(errno.EMFILE)


def load(file: OpenFile, device: torch.device) -> TorchScriptProgram:
    """Load a verified file onto a device.

    Raises InvalidServable, OutOfMemory, DeviceFailed or Overloaded.
    """
    module = read_module(file, device).eval()
    program = TorchScriptProgram(
        module, enum_members(file.path), stored_bytes=stored_bytes(file.path)
    )
    if not program.methods():
        raise InvalidServable("the module has neither a method `forward` nor an exported one")
    return program


def read_module(file: OpenFile, device: torch.device) -> Any:
    install_stand_ins()
    try:
        return unlocked(torch.jit.load, file.path, device)
    except Exception as error:
        reason = explain(error).partition("\n")[0]
        if problem := device_error(error, "the model"):
            raise problem from error
        if OUT_OF_DESCRIPTORS in reason:
            raise Overloaded(NO_DESCRIPTOR) from error
        missing = missing_in(str(error))
        wrong = missing or f"not {KIND} that can be loaded here ({reason}); {HINT}"
        raise InvalidServable(wrong) from error
