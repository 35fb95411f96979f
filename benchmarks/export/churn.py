"""What the server keeps of 50 models that go through a cache of 10.

`python -m benchmarks.export.churn`. After each round in which every model was asked once, and its
result was its own, this counts memory, file descriptors and mappings of the server's processes.
All must be flat after the first round. Packages are one package with other weights in each; the
same is done with programs.
"""

import argparse
import json
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import torch

from benchmarks.export.models import MODELS
from benchmarks.support.payloads import SMALL_BODY
from benchmarks.support.process import Running, family_of, start

COUNT = 50
MLP = MODELS[0]


def save_packages(folder: Path) -> None:
    """Write copies of the MLP's package; the last bias of each is its number."""
    bias = list(MLP.module().parameters())[-1].detach()
    with zipfile.ZipFile(MLP.package()) as package:
        entries = [(entry, package.read(entry)) for entry in package.infolist()]
    assert sum(data.count(bias.numpy().tobytes()) for _, data in entries) == 2  # library, program
    for number in range(COUNT):
        with zipfile.ZipFile(folder / f"{number}.pt2", "w") as copy:
            for entry, data in entries:
                other = torch.full_like(bias, number).numpy().tobytes()
                copy.writestr(entry, data.replace(bias.numpy().tobytes(), other))


def save_programs(folder: Path) -> None:
    for number in range(COUNT):
        module = MLP.module()
        with torch.no_grad():
            list(module.parameters())[-1].fill_(number)
        program = torch.export.export(module, (MLP.example,))
        torch.export.save(program, folder / f"{number}.pt2")


def ask(server: Running, number: int) -> list[float]:
    url = server.url(f"/serve?servable_identifier={number}.pt2")
    with urllib.request.urlopen(urllib.request.Request(url, SMALL_BODY), timeout=60) as response:
        values: list[float] = json.load(response)["result"]["value"]
        return values


def counts(server: Running) -> tuple[float, int, int]:
    """PSS in MB, descriptors and mappings of all processes."""
    family = family_of(server.process)
    mappings = sum(mappings_of(member) for member in family)
    return server.pss_mb(), sum(member.num_fds() for member in family), mappings


def mappings_of(process: psutil.Process) -> int:
    return len(Path(f"/proc/{process.pid}/maps").read_text().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export.churn", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="over all models (default: 6)")
    parser.add_argument("--only", metavar="WORD", default="", help="packages or programs")
    arguments = parser.parse_args()
    print(f"\n| {COUNT} models through a cache of 10 | round | PSS, MB | descriptors | mappings |")
    print("| --- | --- | --- | --- | --- |")
    for name, save in {"packages": save_packages, "programs": save_programs}.items():
        if arguments.only in name:
            measure(name, save, arguments.rounds)


def measure(name: str, save: Callable[[Path], None], rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder))
        flags = ("--model-capacity", "10", "--buffer-size", "0")
        with start("torch_serving", folder, "--port", "{port}", *flags) as server:
            base: list[float] = []
            for round_ in range(rounds):
                for number in range(COUNT):
                    values = ask(server, number)
                    base = base or values
                    moved = [value - first for value, first in zip(values, base, strict=True)]
                    assert all(abs(each - number) < 1e-3 for each in moved), (number, moved)
                memory_mb, descriptors, mappings = counts(server)
                cells = f"{round_ + 1} | {memory_mb:.0f} | {descriptors} | {mappings}"
                print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
