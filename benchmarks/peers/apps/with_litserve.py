"""LitServe: two workers, and as many processes in front of them, which is its default."""

import os
import sys
from typing import Any

import litserve
import numpy as np
import torch
from fastapi import Request


class Model(litserve.LitAPI):
    def setup(self, device: str) -> None:
        torch.set_num_threads(1)
        self.model = torch.jit.load(os.environ["MODEL"], map_location=device)

    def decode_request(self, request: Request) -> torch.Tensor:
        return torch.from_numpy(np.array(request["value"], np.float32).reshape(request["shape"]))

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return self.model(x)

    def encode_response(self, output: torch.Tensor) -> list[Any]:
        return output.tolist()


if __name__ == "__main__":
    server = litserve.LitServer(Model(), accelerator="cpu", workers_per_device=2)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
