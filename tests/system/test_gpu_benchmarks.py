"""The benchmarks for a GPU, rehearsed on the CPU."""

import pytest
import torch

from benchmarks.gpu import limits, throughput
from benchmarks.gpu.workloads import WORKLOADS

CPU = torch.device("cpu")


def test_limits_prints_a_row_for_each_model_and_number_of_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)  # other tests want theirs
    words = ["--device", "cpu", "--only", "mlp", "--rows", "1", "3", "--seconds", "0"]
    limits.main(words)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| mlp")]
    assert [row.split(" | ")[1] for row in rows] == ["1", "3"]


@pytest.mark.parametrize("module", [limits, throughput])
def test_arguments_are_documented(module: object, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_:
        module.main(["--help"])
    assert exit_.value.code == 0
    assert "--device" in capsys.readouterr().out


@pytest.mark.parametrize("workload", WORKLOADS, ids=[workload.name for workload in WORKLOADS])
def test_a_model_takes_the_rows_of_its_requests(workload: object):
    model = workload.model(CPU)
    rows = workload.inputs(2)
    with torch.inference_mode():
        assert model(rows).shape[0] == 2
    assert workload.message(workload.name, rows[:1]).body
