"""A model root in a bucket: starts and first requests, cold, warm, and while the bucket is away.

    python -m benchmarks.server.remote [MODELS]

The bucket is a server of S3's interface in this process, so these are the times of the server and
not of a network. In the cold run nothing is here; in the warm one, all that the cold one fetched.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from tests.support.bucket import Bucket, serve_bucket

MODELS = 1000
ASKED = 20  # models that get a first request
BODY = json.dumps({"input": [[0.5] * 256]}).encode()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else MODELS
    with tempfile.TemporaryDirectory() as folder, serve_bucket() as bucket:
        fill(bucket, count, Path(folder))
        print()
        print("| run | start | first requests: p50, p99 | status | requests to the bucket |")
        print("| --- | --- | --- | --- | --- |")
        run("cold", bucket, Path(folder), range(ASKED))
        run("warm", bucket, Path(folder), range(ASKED))
        bucket.faults = {key: [503] * 100_000 for key in ["", *bucket.files]}
        run("bucket away, models that are here", bucket, Path(folder), range(ASKED))
        run("bucket away, another model", bucket, Path(folder), [ASKED])


def fill(bucket: Bucket, count: int, folder: Path) -> None:
    path = folder / "mlp.pt"
    layers = [torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 256)]
    torch.jit.script(torch.nn.Sequential(*layers).eval()).save(path)
    data = path.read_bytes()
    bucket.files = {f"models/{number:04}.pt": data for number in range(count)}
    print(
        f"{count} models of {len(data):,} bytes; torch {torch.__version__}, {os.cpu_count()} cores"
    )


def run(name: str, bucket: Bucket, folder: Path, numbers: Sequence[int]) -> None:
    bucket.requests.clear()
    started_s = time.perf_counter()
    with server(bucket, folder) as url:
        start_s = time.perf_counter() - started_s
        answers = [ask(url, number) for number in numbers]
    times_ms = sorted(1000 * seconds for _, seconds in answers)
    states = ", ".join(sorted({str(status) for status, _ in answers}))
    p50, p99 = statistics.median(times_ms), times_ms[int(0.99 * (len(times_ms) - 1))]
    print(
        f"| {name} | {start_s:.1f} s | {p50:.0f}, {p99:.0f} ms of {len(answers)} "
        f"| {states} | {len(bucket.requests)} |",
        flush=True,
    )


@contextmanager
def server(bucket: Bucket, folder: Path) -> Iterator[str]:
    """A server with two workers, which keeps its copies below the folder."""
    command = [sys.executable, "-m", "torch_serving", "s3://bucket/models", "--port", "0"]
    flags = ["--workers", "2", "--remote-cache", str(folder / "cache"), "--log-level", "error"]
    environment = {**os.environ, **bucket.environment}
    with subprocess.Popen(
        [*command, *flags], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().split(" on ")[1].split()[0]
        process.terminate()


def ask(url: str, number: int) -> tuple[int, float]:
    """The status of a request to a model, and how long it took."""
    started_s = time.perf_counter()
    request = f"{url}/serve?servable_identifier={number:04}.pt"
    try:
        with urllib.request.urlopen(request, BODY) as response:
            response.read()
            status = response.status
    except urllib.error.HTTPError as error:
        with error:
            status = error.code
    return status, time.perf_counter() - started_s


if __name__ == "__main__":
    main()
