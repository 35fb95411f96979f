"""mosec: decoding, model and encoding in one stage of two processes; BATCH collects requests."""

import os

import numpy as np
import orjson
import torch
from mosec import Server, Worker


class Model(Worker):
    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.model = torch.jit.load(os.environ["MODEL"])

    def deserialize(self, data: bytes) -> torch.Tensor:
        body = orjson.loads(data)
        return torch.from_numpy(np.array(body["value"], np.float32).reshape(body["shape"]))

    def serialize(self, data: torch.Tensor) -> bytes:
        return orjson.dumps(data.numpy(), option=orjson.OPT_SERIALIZE_NUMPY)

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return self.model(data)


class BatchedModel(Model):
    def forward(self, data: list[torch.Tensor]) -> list[torch.Tensor]:
        return list(super().forward(torch.cat(data)).split(1))


if __name__ == "__main__":
    server = Server()
    batch = int(os.environ.get("BATCH", "1"))
    worker = BatchedModel if batch > 1 else Model
    server.append_worker(worker, num=2, max_batch_size=batch, max_wait_time=1)
    server.run()
