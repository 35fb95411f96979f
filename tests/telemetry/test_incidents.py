"""What happened to workers, counted by their parent."""

import os
import time

import pytest

from torch_serving.engine import events
from torch_serving.errors import Overloaded, ServingError
from torch_serving.models.written_files import FileChanging
from torch_serving.server.ipc.incidents import Incidents, cause_of
from torch_serving.telemetry._counters import KINDS as MAX_KINDS
from torch_serving.telemetry._counters import SECONDS, Statistics
from torch_serving.telemetry.error_kinds import KINDS, NUMBERS, kind_of
from torch_serving.telemetry.processes import process_figures
from torch_serving.telemetry.prometheus import Metrics
from torch_serving.telemetry.responses import CLIENT_GONE, Failure, ResponseRecorder


def samples(metrics: Metrics) -> dict[str, float]:
    lines = metrics.text().decode().splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if not line.startswith("#")
    }


def test_processes_read_what_their_parent_counted():
    incidents = Incidents()
    assert incidents.read()["worker_exits"]["crash"] == 0
    incidents.count("worker_exits", "crash")
    incidents.count("reloads", "done")
    pid = os.fork()
    if pid == 0:
        counts = incidents.read()
        os._exit(10 * counts["worker_exits"]["crash"] + counts["reloads"]["done"])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 11


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (f"{events.HUNG_MODEL}: slow.pt", "hung_model"),
        (f"{events.HUNG_LOAD}: slow.pt", "hung_load"),
        (events.DEVICE_ERROR, "device_error"),
        (f"{events.DEVICE_ERROR}: cuda:0", "device_error"),
        (f"{events.DEAD_THREAD}: executor-1: SystemExit", "dead_thread"),
        ("whatever else", "failure"),
    ],
)
def test_causes_of_what_workers_report(reason: str, cause: str):
    assert cause_of(reason) == cause
    Incidents().count("worker_exits", cause)


def test_metrics_have_incidents_from_the_start():
    incidents = Incidents()
    metrics = Metrics(Statistics(), parent_slot=-1, incident_counts=incidents.read)
    before = samples(metrics)
    assert before['torch_serving_worker_exits_total{cause="kill"}'] == 0
    assert before["torch_serving_quarantines_total"] == 0
    incidents.count("quarantines", "started")
    incidents.count("reloads", "refused")
    after = samples(metrics)
    assert after["torch_serving_quarantines_total"] == 1
    assert after['torch_serving_reloads_total{result="refused"}'] == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [(Overloaded, "overloaded"), (FileChanging, "not_ready"), (ServingError, "serving_error")],
)
def test_kinds_of_errors(error: type[ServingError], kind: str):
    assert kind_of(error) == kind


def test_errors_are_counted_by_kind():
    assert len(KINDS) <= MAX_KINDS
    statistics = Statistics(2)
    recorder = ResponseRecorder(statistics)
    recorder.record(None, 503, 0.1, failure=Failure("overloaded", "the queue is full"))
    recorder.record(None, 499, 0.1, failure=CLIENT_GONE)
    statistics.attach(1)
    recorder.record(None, 503, 0.1, failure=Failure("overloaded", "the queue is full"))
    assert statistics.errors()[NUMBERS["overloaded"]] == 2
    found = samples(Metrics(statistics, parent_slot=-1))
    assert found['torch_serving_errors_total{kind="overloaded"}'] == 2
    assert found['torch_serving_errors_total{kind="client_gone"}'] == 1
    assert found['torch_serving_errors_total{kind="not_found"}'] == 0


def test_what_the_parent_does_not_do_is_not_counted_for_it():
    statistics = Statistics(2)
    statistics.set_threads(2, 1)
    statistics.set_cache(3, 1000)
    statistics.attach(1)
    statistics.set_cache(3, 1000)
    statistics.count_load(0)
    found = samples(Metrics(statistics, parent_slot=1))
    models = [name for name in found if name.startswith("torch_serving_cache_models")]
    assert models == ['torch_serving_cache_models{worker="0"}']
    assert 'torch_serving_threads{worker="parent"}' not in found
    assert found['torch_serving_cache_loads_total{worker="parent"}'] == 1
    assert found['process_resident_memory_bytes{worker="parent"}'] > 1 << 20


def test_figures_of_a_process():
    found = process_figures(os.getpid())
    assert found["resident_memory_bytes"] > 1 << 20
    assert found["cpu_seconds"] > 0
    assert 0 < found["open_fds"] <= found["max_fds"]
    assert 0 < found["start_time_seconds"] < time.time() + 1
    assert process_figures(1 << 30) == {}


def test_histograms_reach_the_longest_time_that_a_request_may_take():
    assert SECONDS[-1] == 300
