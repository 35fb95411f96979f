"""A verified `.pt2` archive -> a program."""

import torch

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.interfaces import Program
from torch_serving.models.backends.other_files import OF_PROGRAM
from torch_serving.models.files import OpenFile


def load(file: OpenFile, device: torch.device) -> Program:
    """Load a verified file onto a device. Raises InvalidServable."""
    raise InvalidServable(f"it is a program of torch.export; {OF_PROGRAM}")
