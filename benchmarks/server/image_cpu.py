"""The server's CPU for a request with an image, beside the least that C++ can do for it.

`python -m benchmarks.server.image_cpu`. The least is the bare simdjson loop into a float array and
the model's forward, in one thread of this process. The two take turns; the best of each counts.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.codecs.bare import BareLoop
from benchmarks.support.compare import Ratio, record
from benchmarks.support.load import parser_of, require_wrk, write_script
from benchmarks.support.payloads import IMAGE, IMAGE_BODY, IMAGE_SHAPE, conv
from benchmarks.support.process import start

CONNECTIONS = (1, 4)
MOST = 1.3
TARGET = "/serve?servable_identifier=model.pt"
RUNS = 100  # a round


class Least:
    """Only reads the body and runs the model."""

    def __init__(self) -> None:
        self._read = BareLoop(IMAGE_BODY, IMAGE.size)
        self._model = conv()
        self._input = torch.from_numpy(self._read.numbers).reshape(IMAGE_SHAPE)
        assert self._read() == IMAGE.size
        assert np.array_equal(self._input.numpy(), IMAGE.astype(np.float32))

    def cpu_us(self) -> float:
        started_s = time.thread_time()
        with torch.inference_mode():
            for _ in range(RUNS):
                self._read()
                self._model(self._input)
        return (time.thread_time() - started_s) / RUNS * 1e6


def main() -> None:
    arguments = parser_of("server.image_cpu", __doc__, rounds=4).parse_args()
    require_wrk()
    torch.set_num_threads(1)
    least = Least()
    print("\n| image, connections | C++ and forward, ms of CPU | server | ratio | target |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        conv().save(folder / "model.pt")
        script = write_script(folder / "post.lua", IMAGE_BODY)
        with start("torch_serving", str(folder), "--port", "{port}") as server:
            for connections in CONNECTIONS:
                best = [float("inf")] * 2
                for number in range(arguments.rounds + 1):
                    _, server_us = server.under_load(TARGET, connections, script, arguments.seconds)
                    if number:  # the first warms up
                        best = [min(best[0], least.cpu_us()), min(best[1], server_us)]
                print_row(connections, *best)


def print_row(connections: int, least_us: float, server_us: float) -> None:
    ratio = server_us / least_us
    record(f"image, CPU of the server / C++, {connections} connections", Ratio(ratio, "less"))
    cells = f"{least_us / 1e3:.2f} | {server_us / 1e3:.2f} | {ratio:.2f} | <= {MOST}"
    print(f"| {connections} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
