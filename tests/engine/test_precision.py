"""TF32: one setting of the process, for models and cards that differ."""

import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tests.support.client import LIMIT_S, in_threads
from tests.support.servables import mlp
from torch_serving import Config, Runtime
from torch_serving.engine.batch_tensors import is_close
from torch_serving.engine.batcher import OFF, ON, Batcher
from torch_serving.engine.precision import Tf32Switch, set_tf32, with_tf32
from torch_serving.models.imports import import_for_model

ONES = torch.ones(4)


def setting() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True)
def as_before():
    yield
    set_tf32(False)


@pytest.mark.parametrize("tf32", [True, False])
def test_the_flag_is_for_the_process_and_a_model_may_differ(tmp_path: Path, tf32: bool):
    for name in ("plain.pt", "other.pt"):
        mlp().save(tmp_path / name)
    (tmp_path / "other.toml").write_text(f"tf32 = {str(not tf32).lower()}\n")
    runtime = Runtime.build(Config(tmp_path, tf32=tf32, device="cpu"))
    assert setting() == (tf32, tf32)
    cpu = torch.device("cpu")
    loaded = {name: runtime.models.preload(name, cpu) for name in ("plain.pt", "other.pt")}
    assert loaded["plain.pt"].config.tf32 is tf32
    assert loaded["other.pt"].config.tf32 is not tf32
    assert not loaded["plain.pt"].uses_tf32  # the CPU has none
    runtime.close()


@pytest.mark.parametrize(
    ("off_by", "tf32", "same"),
    [(2e-7, False, True), (2e-2, False, False), (2e-7, True, True), (2e-2, True, True),
     (2e-1, True, False)],
)  # fmt: skip
def test_results_are_compared_as_precisely_as_they_are(off_by: float, tf32: bool, same: bool):
    other = ONES * (1 + off_by)
    assert is_close([{"a": other}], [{"a": ONES}], tf32) is same
    assert not is_close(ONES.double() * 1.02, ONES.double(), tf32)


@pytest.mark.parametrize(("tf32", "state"), [(True, ON), (False, OFF)])
def test_batches_of_products_in_tf32(tf32: bool, state: object):
    def run(inputs: list[torch.Tensor]) -> torch.Tensor:
        return inputs[0] * (1.02 if len(inputs[0]) > 1 else 1.0)

    batcher = Batcher("m.pt", 8, tf32)
    inputs = [torch.ones(1, 4)]
    batcher.validate(run, inputs, run(inputs))
    assert batcher.state is state


def test_runs_with_one_setting_overlap_and_others_wait():
    switch = Tf32Switch()
    both = threading.Barrier(2, timeout=LIMIT_S)
    entered, release = threading.Event(), threading.Event()
    seen: list[tuple[bool, bool]] = []

    def meet() -> None:
        both.wait()
        entered.set()
        assert release.wait(LIMIT_S)
        seen.append(setting())

    runs = [threading.Thread(target=with_tf32(meet, False, switch)) for _ in range(2)]
    other = threading.Thread(target=with_tf32(lambda: seen.append(setting()), True, switch))
    for run in runs:
        run.start()
    assert entered.wait(LIMIT_S)
    other.start()
    release.set()
    for thread in (*runs, other):
        thread.join(LIMIT_S)
    assert seen == [(False, False), (False, False), (True, True)]


def test_no_run_sees_the_setting_of_another():
    switch = Tf32Switch()

    def run_many(client: int) -> bool:
        wanted = bool(client % 2)
        run = with_tf32(lambda: setting() == (wanted, wanted) == setting(), wanted, switch)
        return all(run() for _ in range(500))

    assert all(in_threads(6, run_many))


def test_a_run_that_fails_holds_nobody_up():
    switch = Tf32Switch()
    with pytest.raises(ZeroDivisionError):
        with_tf32(lambda: 1 / 0, True, switch)()
    assert with_tf32(setting, False, switch)() == (False, False)


def test_a_module_that_a_model_imports_does_not_set_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    code = "import torch\ntorch.backends.cuda.matmul.allow_tf32 = True\n"
    (tmp_path / "turns_tf32_on.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    run = with_tf32(setting, False)
    assert run() == (False, False)
    import_for_model(["turns_tf32_on"], "m.toml", "/models")
    assert setting() == (True, False)
    assert run() == (False, False)


def test_what_others_set_is_set_anew_once_nothing_runs():
    switch = Tf32Switch()
    switch.enter(True)
    switch.forget()
    other = threading.Thread(target=with_tf32(lambda: None, True, switch))
    other.start()
    set_tf32(False)
    switch.leave()
    other.join(LIMIT_S)
    assert not other.is_alive()
    assert setting() == (True, True)


def waiting(switch: Tf32Switch, count: int, done: Callable[[], object] = lambda: False) -> None:
    """Wait until so many runs wait for a setting, or something else is done."""
    deadline_s = time.monotonic() + LIMIT_S
    while switch._waiting < count and not done():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


def test_nobody_passes_by_a_run_that_waits_for_the_other_setting():
    switch, ran = Tf32Switch(), list[bool]()
    with ThreadPoolExecutor(2) as threads:
        switch.enter(False)
        for number, on in enumerate((True, False)):
            threads.submit(with_tf32(functools.partial(ran.append, on), on, switch))
            waiting(switch, number + 1, lambda: ran)
        passed_by = list(ran)
        switch.leave()
    assert not passed_by
    assert sorted(ran) == [False, True]


def test_runs_that_waited_for_the_same_setting_overlap():
    switch, both = Tf32Switch(), threading.Barrier(2, timeout=LIMIT_S)
    with ThreadPoolExecutor(2) as threads:
        switch.enter(False)
        runs = [threads.submit(with_tf32(both.wait, True, switch)) for _ in range(2)]
        waiting(switch, 2)
        switch.leave()
        assert sorted(each.result() for each in runs) == [0, 1]
