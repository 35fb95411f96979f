"""Our server with a device executor for the CPU as well, to compare it with executor threads.

The command line is that of torch-serving.
"""

import torch

from torch_serving.cli.main import main
from torch_serving.engine.accelerator import set_accelerator
from torch_serving.engine.plain_accelerator import PlainAccelerator

if __name__ == "__main__":
    cpu = torch.device("cpu")
    set_accelerator(cpu, PlainAccelerator(cpu))
    main()
