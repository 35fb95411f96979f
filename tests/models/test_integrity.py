"""Model files that are damaged, hostile, or no models: torch never sees them."""

import contextlib
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.client import Client, tensor
from tests.support.process import Process, wait_until
from tests.support.servables import mlp, scripted
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.torchscript.archive import verify
from torch_serving.models.integrity import open_verified, sha256_of
from torch_serving.models.loader import load

CPU = torch.device("cpu")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    mlp().save(tmp_path / "m.pt")
    return tmp_path / "m.pt"


def refusal(path: Path) -> str:
    with pytest.raises(InvalidServable) as caught:
        load(path, CPU)
    assert str(path.parent) not in caught.value.detail
    assert "/proc" not in caught.value.detail
    return caught.value.detail


def test_a_whole_file_is_taken(model: Path):
    with open_verified(model, verify) as file:
        assert torch.jit.load(file.path) is not None
    assert load(model, CPU).identifier == "m.pt"


def test_flipped_bits_in_weights_are_found(model: Path):
    whole = model.read_bytes()
    with zipfile.ZipFile(model) as archive:
        weights = archive.getinfo("m/data/0")
    start = whole.index(b"data/0", weights.header_offset) + 64
    for offset in range(start, start + weights.file_size - 64, 509):
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << (offset % 8)
        model.write_bytes(damaged)
        assert "Bad CRC-32" in refusal(model)
    model.write_bytes(whole)
    load(model, CPU)


@pytest.mark.parametrize("name", ["m.pt", "m.pt2"])
def test_a_directory_that_takes_minutes_is_not_read(tmp_path: Path, name: str):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("m/archive_format", b"pt2")
    data = (tmp_path / name).read_bytes()
    begin = data.index(b"PK\x01\x02")
    end = bytearray(data[data.index(b"PK\x05\x06") :])
    entry = data[begin : -len(end)]
    count = (16 << 20) // len(entry) + 1
    end[8:12] = b"\xff\xff\xff\xff"
    end[12:16] = (count * len(entry)).to_bytes(4, "little")
    (tmp_path / name).write_bytes(data[:begin] + count * entry + end)
    assert "its directory has 16,777," in refusal(tmp_path / name)


def test_damage_anywhere_is_refused_or_harmless(model: Path):
    """No crash, and nothing but InvalidServable."""
    whole = model.read_bytes()
    choose = random.Random(5)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(choose.randint(1, 5)):
            damaged[choose.randrange(len(damaged))] = choose.randrange(256)
        model.write_bytes(damaged)
        with contextlib.suppress(InvalidServable):
            load(model, CPU)


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.3, 0.6, 0.99, 0.9999])
def test_files_that_are_cut(model: Path, fraction: float):
    whole = model.read_bytes()
    model.write_bytes(whole[: int(len(whole) * fraction)])
    assert refusal(model).startswith("not a TorchScript archive (")


def test_files_of_other_kinds(tmp_path: Path):
    path = tmp_path / "m.pt"
    torch.save({"weight": torch.ones(3)}, path)
    assert "it holds no code" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/code/a.py", "")
    assert "it holds no code" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/code/a.py", "")
        archive.writestr("m/constants.pkl", b"no pickle")
        archive.writestr("m/version", b"3")
    assert "can be loaded here" in refusal(path)


def test_a_file_that_unpacks_to_far_more_than_its_size(tmp_path: Path):
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/code/a.py", b"0" * (64 << 20))
        archive.writestr("m/constants.pkl", b"")
    assert "too many for its size" in refusal(path)


def test_what_is_no_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.pt")
    assert refusal(tmp_path / "pipe.pt") == "the file can't be opened: it is no regular file"
    (tmp_path / "folder.pt").mkdir()
    assert refusal(tmp_path / "folder.pt") == "the file can't be opened: it is no regular file"
    assert refusal(Path("/dev/null")) == "the file can't be opened: it is no regular file"
    assert refusal(tmp_path / "none.pt").startswith("the file can't be opened: ")


def test_a_manifest_of_checksums(tmp_path: Path, start: Callable[..., Process]):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    for name in ("a.pt", "b.pt", "sub/c.pt"):
        scripted("x: Tensor", "Tensor", "return x").save(root / name)
    sums = {name: sha256_of(root / name) for name in ("a.pt", "sub/c.pt")}
    lines = [f"{sums['a.pt']}  a.pt", f"{sums['sub/c.pt'].upper()} *./sub/c.pt"]
    (root / "models.sha256").write_text("\n".join(lines))
    process = start(root, "--port", "0")
    with Client(process.url, secrets=[str(tmp_path)]) as client:

        def ask(name: str) -> str:
            response = client.post(name, [tensor([1], [1.0])])
            return response.document.get("detail", "fine")

        assert [ask("a.pt"), ask("sub/c.pt"), ask("./a.pt")] == ["fine"] * 3
        assert ask("b.pt") == "`b.pt`: models.sha256 does not list it"
        (root / "models.sha256").write_text(f"{sums['a.pt']}  b.pt\n")
        assert ask("b.pt") == "`b.pt`: its SHA-256 is not the one in models.sha256"
        (root / "models.sha256").write_bytes(b"\xff")
        assert "can't be read" in ask("b.pt")
        (root / "models.sha256").unlink()
        assert ask("b.pt") == "fine"


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Put a new file over another, in one step."""
    other = path.with_suffix(".new")
    write(other)
    os.replace(other, path)


def test_a_bad_file_in_the_place_of_a_good_one(tmp_path: Path, start: Callable[..., Process]):
    def save(factor: int) -> Callable[[Path], object]:
        return scripted("x: Tensor", "Tensor", f"return x * {factor}").save

    root = tmp_path / "root"
    root.mkdir()
    path = root / "m.pt"
    save(2)(path)
    process = start(root, "--port", "0")
    with Client(process.url, secrets=[str(tmp_path)]) as client:

        def ask() -> float:
            return client.post("m.pt", [tensor([1], [1.0])]).result["value"][0]

        def refusals() -> int:
            return process.stderr.count("the new file is not served, the old one is: `m.pt`")

        assert ask() == 2
        for number, content in enumerate((b"", b"no model", path.read_bytes()[:-100]), 1):
            replace(path, lambda other, content=content: other.write_bytes(content))
            assert [ask() for _ in range(3)] == [2, 2, 2]
            wait_until(lambda number=number: ask() == 2 and refusals() == number)
        replace(path, save(3))
        assert ask() == 3
        path.unlink()
        assert client.post("m.pt", [tensor([1], [1.0])]).status == 400


def test_replacement_under_load_is_never_mixed(tmp_path: Path, start: Callable[..., Process]):
    """Each response is wholly of one file: both outputs carry its number."""

    def save(number: int) -> Callable[[Path], object]:
        body = f"return x * 0 + {number}, x * 0 + {number}"
        return scripted("x: Tensor", "Tuple[Tensor, Tensor]", body).save

    path = tmp_path / "m.pt"
    save(0)(path)
    process = start(tmp_path, "--port", "0")
    with Client(process.url) as client:
        latest = 0
        for number in range(1, 60):
            replace(path, save(number))
            first, second = client.post("m.pt", [tensor([1], [1.0])]).result
            assert first["value"] == second["value"]
            assert first["value"][0] >= latest
            latest = int(first["value"][0])
        wait_until(lambda: client.post("m.pt", [tensor([1], [1.0])]).result[0]["value"] == [59.0])
