"""The client beside httpx alone and `urllib`: what a call costs the caller.

`python -m benchmarks.server.client`. All send the same body to the same server, one call after the
other over one kept connection, in turns; the median of each counts. `urllib` connects each time.
"""

import io
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch

from torch_serving.client import Client
from torch_serving.testing import server

TURNS = 5
SECONDS = 0.5  # of each in a turn
NPY = {"Content-Type": "application/x-npy"}
INPUTS = {
    "mlp": np.ones((1, 16), np.float32),
    "image": np.ones((1, 3, 224, 224), np.float32),
}
Call = Callable[[], Any]


class Mlp(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Mean(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean([2, 3])


def body_of(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def result_of(text: bytes) -> np.ndarray:
    result = json.loads(text)["result"]
    return np.array(result["value"], result["data_type"]).reshape(result["shape"])


def callers(client: Client, plain: httpx.Client, url: str, model: str) -> dict[str, Call]:
    """Each encodes the same array, and makes an array of the response."""
    x = INPUTS[model]
    target = f"{url}/serve?servable_identifier={model}.pt"

    def by_urllib() -> np.ndarray:
        request = urllib.request.Request(target, body_of(x), NPY)
        return result_of(urllib.request.urlopen(request).read())

    call = client[f"{model}.pt"]
    return {
        "client": lambda: call(x),
        "httpx": lambda: result_of(plain.post(target, content=body_of(x), headers=NPY).content),
        "urllib": by_urllib,
    }


def times_of(call: Call) -> list[float]:
    end, times = time.perf_counter() + SECONDS, []
    while (start := time.perf_counter()) < end:
        call()
        times.append(time.perf_counter() - start)
    return times


def measure(calls: dict[str, Call]) -> dict[str, float]:
    """The median of each in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(TURNS):
        for name, call in calls.items():
            times[name] += times_of(call)
    return {name: 1000 * statistics.median(each) for name, each in times.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        torch.jit.script(Mlp()).save(Path(folder, "mlp.pt"))
        torch.jit.script(Mean()).save(Path(folder, "image.pt"))
        with server(folder) as served, httpx.Client() as plain:
            for model in INPUTS:
                medians = measure(callers(served.client, plain, served.url, model))
                print(model, " ".join(f"{name} {ms:.2f} ms" for name, ms in medians.items()))


if __name__ == "__main__":
    main()
