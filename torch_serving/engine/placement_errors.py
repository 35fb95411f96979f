"""Errors of torch where a model's code is not for the device that it runs on.

A trace keeps the device of its example in the code, and some operators exist for some devices only.
No other request would help, nor a new process.
"""

import re

import torch

from torch_serving.errors import InferenceFailed

ON_A_CARD = r"torch\.cuda\.\w+"
KINDS = r"(?:Quantized)?(?:CPU|CUDA|MPS)"
ELSEWHERE = r"torch\.(?!cuda)\w+"
WRONG_DEVICE = re.compile(
    "|".join(
        (
            r"Expected all tensors to be on the same device",
            rf"Input type \({ELSEWHERE}\) and (?:weight|bias) type \({ON_A_CARD}\)",
            rf"Input type \({ON_A_CARD}\) and (?:weight|bias) type \({ELSEWHERE}\)",
            r"indices should be either on ",
            r"Expected a '\w+' device type for generator ",
            rf"Could not run '[\w:.]+' with arguments from the '{KINDS}' backend",
            r"Found no NVIDIA driver",
            r"No CUDA GPUs are available",
            r"CUDA error: (?:CUDA driver version is insufficient|no CUDA-capable device)",
            r"CUDA error: invalid device ordinal",
            r"PyTorch is not linked with support for cuda devices",
            r"Cannot initialize CUDA without ATen_cuda library",
        )
    )
)
# The name of the error, which TorchScript puts before the message of an operator.
NAME = re.compile(r"(?:\w+Error: )?")
ADVICE = (
    "the model's code makes tensors on a device of its own, or has operators that this one lacks: "
    "serve it on another (`device` in its TOML file), or save it anew for this one"
)


def placement_error(error: Exception, text: str) -> InferenceFailed | None:
    """The error of a model that is on a device which its code is not for; None for any other.

    `text` is what the error says, without frames.
    """
    if isinstance(error, torch.jit.Error):  # that is raised by the model's own code
        return None
    start = NAME.match(text)
    found = WRONG_DEVICE.match(text, start.end() if start else 0)
    if found is None:
        return None
    reason = text.partition("\n")[0].partition(". ")[0].rstrip(".")
    return InferenceFailed(f"{reason}; {ADVICE}")
