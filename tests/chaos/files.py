"""Files that are no models, and model files that are replaced under load."""

import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from tests.chaos.deaths import crash
from tests.chaos.load import Load
from tests.chaos.stage import FEATURES, Server, Stage
from tests.chaos.table import Row, Rows
from tests.support.client import Client, tensor, with_length
from tests.support.process import wait_until
from tests.support.servables import SOURCES, scripted

REPLACEMENTS, BAD_EVERY = 1000, 100
PAIR = ("x: Tensor", "Tuple[Tensor, Tensor]", "return x * 0 + {0}, x * 0 + {0}")
ONE = json.dumps([tensor([1], [1.0])]).encode()
# name -> content of the file, made from the bytes of a good model
CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "random": lambda whole: os.urandom(len(whole)),
    "cut": lambda whole: whole[: len(whole) * 2 // 3],
    "bit flipped in a weight": lambda whole: flipped(whole),
    "text": lambda whole: b"no model\n",
}


def flipped(whole: bytes) -> bytes:
    damaged = bytearray(whole)
    damaged[whole.index(b"data/0") + 200] ^= 4
    return bytes(damaged)


def bad_files(stage: Stage) -> Rows:
    """Each gives the same 400 every time, and 200 once a good file replaces it."""
    with stage.server() as server:
        pids = server.pids()
        for number, (name, make) in enumerate(cases(stage.root)):
            path = stage.root / f"bad{number}.pt"
            make(path)
            yield asked(server, pids, path, name)


def cases(root: Path) -> Iterator[tuple[str, Callable[[Path], object]]]:
    whole = (root / "mlp.pt").read_bytes()
    for name, content in CONTENTS.items():
        yield name, lambda path, content=content: path.write_bytes(content(whole))
    yield "unpacks to 64 MiB", bomb
    yield "saved with torch.save", lambda path: torch.save({"w": torch.ones(3)}, path)
    yield "folder", Path.mkdir
    yield "FIFO", os.mkfifo
    yield "device", lambda path: path.symlink_to("/dev/zero")
    yield "link to nothing", lambda path: path.symlink_to("nowhere.pt")
    yield "vanished", lambda path: None
    if os.geteuid() != 0:  # root may read everything
        yield "no permission", lambda path: (path.write_bytes(whole), path.chmod(0))


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/code/a.py", b"0" * (64 << 20))
        archive.writestr("m/constants.pkl", b"")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def asked(server: Server, pids: list[int], path: Path, name: str) -> Row:
    with Client(server.url, secrets=[str(path.parent), "/proc"]) as client:
        statuses = [client.post(path.name, FEATURES).status for _ in range(3)]
        problem = server.check(pids)
        remove(path)
        shutil.copy(path.parent / "mlp.pt", path)
        mended = client.post(path.name, FEATURES).status
    figure = f"{', '.join(map(str, statuses))}; a good file then: {mended}"
    fine = set(statuses) == {400} and mended == 200 and not problem
    return Row(f"model file: {name}", problem or figure, "400, 400, 400; 200", fine)


def crashing_load(stage: Stage) -> Rows:
    """A model whose warm-up request reads out of bounds."""
    scripted(*SOURCES["crashing.pt"]).save(stage.root / "bad.pt")
    (stage.root / "bad.warmup.json").write_bytes(ONE)
    with stage.server() as server:
        pids = server.pids()
        statuses = [crash(server.url, "bad.pt")[0] for _ in range(3)]
        problem = server.check(pids)
    figure = f"{', '.join(map(str, statuses))}; {problem or 'no worker died'}"
    fine = set(statuses) == {400} and not problem
    yield Row("model file: crashes as it is loaded", figure, "400, 400, 400; none", fine)


def replacements(stage: Stage) -> Rows:
    """1,000 replacements by rename under load; some files are bad."""
    path = stage.root / "replaced.pt"
    save(path, 0)
    count = stage.effort.count(REPLACEMENTS, 20)
    request = with_length(ONE, "/serve?servable_identifier=replaced.pt")
    with stage.server("--log-level", "warning") as server:
        pids, bad = server.pids(), 0
        with Client(server.url) as client:
            assert value_of(client) == 0  # a bad file before the first load is a 400
        with Load(server.url, request, 4, 200) as load:
            for number in range(1, count + 1):
                if number % min(BAD_EVERY, count // 2) == 0:
                    other = path.with_suffix(".bad")
                    other.write_bytes(b"no model")
                    os.replace(other, path)
                    bad += 1
                    wait_for_warning(server, bad)
                save(path, number)
            with Client(server.url) as client:
                wait_until(lambda: value_of(client) == count)
            time.sleep(0.1)  # for the load to reach it
        samples = load.all()
        done = (
            f"{count} replacements by rename, {bad} of them with a bad file before, 200 requests/s"
        )
        yield judged(done, samples, count)
        warnings = server.stderr.count("the new file is not served")
        yield Row(done, f"{warnings} bad files logged", f"{bad}", warnings >= bad > 0)
        with Client(server.url) as client:
            is_last = value_of(client) == count
        problem = server.check(pids)
        figure = problem or f"the last file is served: {is_last}"
        yield Row(done, figure, "True", is_last and not problem)


def value_of(client: Client) -> float:
    """The number in the file that is served now."""
    first, _ = client.post("replaced.pt", json.loads(ONE)).result
    return first["value"][0]


def save(path: Path, number: int) -> None:
    other = path.with_suffix(".new")
    arguments, result, body = PAIR
    scripted(arguments, result, body.format(number)).save(other)
    os.replace(other, path)


def wait_for_warning(server: Server, count: int) -> None:
    wait_until(lambda: server.stderr.count("the new file is not served") >= count)


def judged(done: str, samples: list, count: int) -> Row:
    mixed = failed = 0
    seen = set()
    for each in samples:
        if each.reply.status != 200:
            failed += 1
            continue
        first, second = json.loads(each.reply.body)["result"]
        mixed += first["value"] != second["value"]
        seen.update(first["value"])
    figure = f"{len(samples)} responses of {len(seen)} models: {failed} failed, {mixed} mixed"
    return Row(done, figure, "0 failed, 0 mixed", failed == mixed == 0 and len(seen) > 1)
