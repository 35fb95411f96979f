"""Libraries of packages: which are refused before they are loaded, and which when."""

import errno
import fcntl
import gc
import os
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from tests.support.libraries import FOLDER, HERE, library, save_echo, save_package
from torch_serving.errors import InvalidServable
from torch_serving.models import loader
from torch_serving.models.backends.export.package.folder import PREFIX, make_locked
from torch_serving.models.backends.export.package.library import path_of, unnamed_file
from torch_serving.models.backends.export.package.machine import check_machine, read_metadata
from torch_serving.models.backends.export.package.symbols import let_check_inputs, let_unload

CPU, CARD = torch.device("cpu"), torch.device("cuda:0")
LIBRARY = "x.wrapper.so"
FUNCTIONS = "int AOTInductorModelContainerRun() { return 0; }"


def refusal(path: Path) -> str:
    with pytest.raises(InvalidServable) as refused:
        loader.load(path, CPU)
    return refused.value.detail


def test_packages_for_other_machines(monkeypatch: pytest.MonkeyPatch):
    capabilities = {"avx2": True, "fma3": True, "f16c": True}
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: capabilities)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (8, 6))
    here = "linux x86_64"
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    metadata = {**HERE, "AOTI_PLATFORM": "linux", "AOTI_MACHINE": "x86_64"}
    card = {"AOTI_DEVICE_KEY": "cuda", "AOTI_COMPUTE_CAPABILITY": "90"}
    cases = (
        ({}, CPU, ""),
        ({"AOTI_CPU_ISA": "AVX2"}, CPU, ""),
        ({"AOTI_CPU_ISA": "SOMETHING_NEW"}, CPU, ""),
        ({"AOTI_MACHINE": "aarch64"}, CPU, f"for linux aarch64, and this machine is {here}"),
        ({"AOTI_PLATFORM": "win32"}, CPU, f"for win32 x86_64, and this machine is {here}"),
        (
            {"AOTI_CPU_ISA": "AVX512 AVX512_VNNI"},
            CPU,
            "for CPUs with AVX512, AVX512_VNNI, and this machine has AVX2",
        ),
        (card, CPU, "for the device cuda, and is to run on cpu: compile it with"),
        ({}, CARD, 'serve it on cpu: `device = "cpu"` in its TOML file'),
        (card, CARD, "for cards of compute capability 90, and this machine has one of 86"),
        ({**card, "AOTI_COMPUTE_CAPABILITY": "86", "AOTI_CPU_ISA": "AVX512"}, CARD, ""),
    )
    for changes, device, words in cases:
        if not words:
            check_machine({**metadata, **changes}, device)
            continue
        with pytest.raises(InvalidServable) as refused:
            check_machine({**metadata, **changes}, device)
        assert words in refused.value.detail
        assert "torch-serving compile" in refused.value.detail


def test_metadata_that_is_none():
    for data in (b"", b"[]", b"{", b"\xff"):
        with pytest.raises(InvalidServable, match="metadata"):
            read_metadata(data)


def test_libraries_that_can_not_be_loaded(tmp_path: Path):
    sound = library(tmp_path, FUNCTIONS)
    unknown = library(tmp_path, "void other(void); void call(void) { other(); }")
    later = "void aoti_torch_later(void); void call(void) { aoti_torch_later(); }"
    torchs = library(tmp_path, later)
    far = bytearray(sound)
    struct.pack_into("<Q", far, 0x28, 1 << 40)
    cases = {
        b"": "damaged",
        b"no library": "no library of 64 bits",
        sound[:200]: "damaged",
        bytes(far): "damaged",
        sound: "has not the functions of a package",
        unknown: "the function other, which nothing that is loaded here has: start the server with",
        torchs: f"uses aoti_torch_later, which torch {torch.__version__} does not have",
    }
    for number, (data, words) in enumerate(cases.items()):
        path = save_package(tmp_path / f"{number}.pt2", {LIBRARY: data})
        assert words in refusal(path), words
        assert "/proc" not in refusal(path)


def test_packages_without_a_library(tmp_path: Path):
    cases = {
        "x.wrapper.cpp": "it holds the source of a package, not its library",
        "other.so": "its package has no library with metadata",
        "weights_config.json": "the weights of its package are not in its library",
    }
    for number, (name, words) in enumerate(cases.items()):
        path = save_package(tmp_path / f"{number}.pt2", {name: b"{}"})
        assert words in refusal(path)


def test_places_for_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A disk that may execute, or else memory; nothing has a name."""

    def kind() -> str:
        descriptor = unnamed_file(1 << 16)
        target = os.readlink(path_of(descriptor))
        os.close(descriptor)
        return "memory" if "memfd" in target else "disk"

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert kind() == "disk"
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert kind() == "memory"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    class NoExec:
        f_flag = os.ST_NOEXEC

    with monkeypatch.context() as patch:
        patch.setattr("os.fstatvfs", lambda _: NoExec)
        assert kind() == "memory"

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("os.posix_fallocate", full)
    assert kind() == "memory"


def test_no_place_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save_package(tmp_path / "x.pt2", {LIBRARY: library(tmp_path, FUNCTIONS)})

    def denied(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    monkeypatch.setattr("os.memfd_create", denied)
    assert refusal(path) == "there is no place for its package's library: Permission denied"


def test_only_what_keeps_a_library_loaded_is_changed(tmp_path: Path):
    source = """
    int __cxa_thread_atexit(void (*)(void *), void *, void *);
    int aoti_torch_check(int);
    int call(void) { return aoti_torch_check(__cxa_thread_atexit(0, 0, 0)); }
    """
    data = bytearray(library(tmp_path, source))
    before = bytes(data)
    assert let_unload(memoryview(data)) == {"aoti_torch_check"}
    assert b"aoti_thread_atexit\0\0" in data
    assert len(data) == len(before)
    assert sum(each != other for each, other in zip(data, before, strict=True)) < 40
    plain = bytearray(library(tmp_path, FUNCTIONS))
    assert let_unload(memoryview(plain)) == frozenset()
    assert plain == library(tmp_path, FUNCTIONS)


def test_a_library_checks_its_inputs_where_no_program_tells_them():
    name = b"AOTI_RUNTIME_CHECK_INPUTS\0"
    data = bytearray(b"a\0" + name + b"b" + name)
    let_check_inputs(data)
    assert data == b"a\0" + name.lower() + b"b" + name.lower()
    assert os.environ[name.rstrip(b"\0").decode().lower()] == "1"


READS = """
#include <stdio.h>
#include <string.h>
static char place[4096];
static int read_kernel(const char* folder) {
    snprintf(place, sizeof place, "%s/kernel.cubin", folder ? folder : "");
    FILE* file = fopen(place, "r");
    if (file) fclose(file);
    return !file;
}
"""


def test_files_that_a_library_reads_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They lie in a folder for as long as the model lives, or its process."""
    folders = tmp_path / "folders"
    folders.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folders))
    path = save_echo(tmp_path / "x.pt2", create="read_kernel(in)", before=READS)
    assert "it went wrong" in refusal(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{FOLDER}kernel.cubin", b"kernel")
    (folders / f"{PREFIX}abandoned").mkdir()
    os.mkfifo(folders / f"{PREFIX}pipe")  # which nobody writes to
    first = loader.load(path, CPU)
    (folders / f"{PREFIX}pipe").unlink()
    (folder,) = folders.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "kernel.cubin").read_bytes() == b"kernel"
    second = loader.load(path, CPU)
    assert len(list(folders.iterdir())) == 2
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            del first, second
            gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(list(folders.iterdir())) == 2
    del first, second
    gc.collect()
    assert list(folders.iterdir()) == []


def test_a_folder_that_another_process_took_for_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It was not locked yet."""
    flock = fcntl.flock

    def flock_too_late(lock: int, kind: int) -> None:
        monkeypatch.setattr("fcntl.flock", flock)
        next(tmp_path.iterdir()).rmdir()
        flock(lock, kind)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("fcntl.flock", flock_too_late)
    path, lock = make_locked()
    os.close(lock)
    assert list(tmp_path.iterdir()) == [Path(path)]
