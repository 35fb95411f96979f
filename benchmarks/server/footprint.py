"""The server's memory and start beside those of a process that only has torch and the model.

`python -m benchmarks.server.footprint`. Memory is PSS, of all processes of the server; the start is
from the command to the first response of a model. The least of several rounds counts. This process
keeps away from torch itself: it would bear half of torch's pages in the PSS of the others.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.support.compare import Ratio, record
from benchmarks.support.load import require_wrk, write_script
from benchmarks.support.process import check, start

ROUNDS = 5
CONNECTIONS, SECONDS = 8, 2
MOST_MEMORY, MOST_LATER_S = 1.15, 0.5
TARGET = "/serve?servable_identifier=model.pt"
BODY = json.dumps([{"type": "tensor", "shape": [1, 16], "value": [0.5] * 16}]).encode()
IMPORT = "import torch"
SAVE = "import sys; from benchmarks.support.payloads import mlp; mlp().save(sys.argv[1])"
LEAST = """
import sys, psutil, torch
with torch.inference_mode():
    torch.jit.load(sys.argv[1])(torch.zeros(1, 16))
print(psutil.Process().memory_full_info().pss)
"""


def main() -> None:
    require_wrk()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model.pt"
        output_of(SAVE, model)
        script = write_script(folder / "post.lua", BODY)
        import_s = min(seconds_of(IMPORT, model) for _ in range(ROUNDS))
        least_mb = float(output_of(LEAST, model)) / 1e6
        print("\n| workers | start, s | later than `import torch` | PSS, MB | / torch and model |")
        print("| --- | --- | --- | --- | --- |")
        for workers in ("1", "2"):
            figures = [measure(folder, workers, script) for _ in range(ROUNDS)]
            start_s, memory_mb = (min(column) for column in zip(*figures, strict=True))
            ratio = memory_mb / least_mb
            record(f"memory of {workers} workers / torch and model", Ratio(ratio, "less"))
            later = f"{start_s - import_s:+.2f} (<= +{MOST_LATER_S})"
            target = f" (<= {MOST_MEMORY})" if workers == "1" else ""
            cells = f"{start_s:.2f} | {later} | {memory_mb:.0f} | {ratio:.2f}{target}"
            print(f"| {workers} | {cells} |", flush=True)


def measure(folder: Path, workers: str, script: Path) -> tuple[float, float]:
    """Seconds to the first response, and MB under load."""
    started_s = time.perf_counter()
    flags = ("--port", "{port}", "--workers", workers, "--preload", "model.pt")
    with start("torch_serving", str(folder), *flags) as server:
        check(server.url(TARGET), BODY)
        start_s = time.perf_counter() - started_s
        server.under_load(TARGET, CONNECTIONS, script, SECONDS)
        return start_s, server.pss_mb()


def output_of(program: str, model: Path) -> str:
    command = [sys.executable, "-c", program, str(model)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def seconds_of(program: str, model: Path) -> float:
    started_s = time.perf_counter()
    output_of(program, model)
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
