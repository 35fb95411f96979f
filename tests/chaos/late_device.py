"""A server whose CPU has an executor as a card has, and is late as `FakeAccelerator` is."""

import sys

import torch

from tests.support.fake_device import FakeAccelerator
from torch_serving.cli import main as cli
from torch_serving.engine.accelerator import set_accelerator

if __name__ == "__main__":
    set_accelerator(torch.device("cpu"), FakeAccelerator())  # workers inherit it
    sys.exit(cli.main())
