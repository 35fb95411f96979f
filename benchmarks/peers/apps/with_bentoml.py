"""BentoML: a service of two workers whose argument and result are declared as arrays.

On the event loop, as an `async` method: in a thread of its own the small model is slower.
"""

import os
from typing import Annotated

import bentoml
import numpy as np
import torch
from bentoml.validators import DType


@bentoml.service(workers=2, logging={"access": {"enabled": False}})
class Model:
    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.model = torch.jit.load(os.environ["MODEL"])

    @bentoml.api
    async def predict(self, x: Annotated[np.ndarray, DType("float32")]) -> np.ndarray:
        with torch.inference_mode():
            return self.model(torch.from_numpy(x)).numpy()
