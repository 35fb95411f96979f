"""The dashboard's queries use metrics and labels of the server, and all of its metrics."""

import json
import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.client import Client, tensor
from tests.support.fetch import fetch
from tests.support.process import Process
from torch_serving.telemetry._counters import Statistics
from torch_serving.telemetry.prometheus import Metrics

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboard.json"
ADDED = {"instance", "job", "le"}  # by Prometheus, and by the quantiles


def queries(document: dict[str, Any]) -> list[str]:
    panels = [target["expr"] for panel in document["panels"] for target in panel.get("targets", [])]
    return [*panels, *(v["query"]["query"] for v in document["templating"]["list"][1:])]


def device_samples() -> dict[str, set[str]]:
    """The samples of a server with a card."""
    statistics = Statistics()
    counters = statistics.device(b"cuda:0")
    counters.set_memory(1, 2, 3, 4)
    counters.set_utilization(50.0)
    counters.set_up(True)
    found = samples_of(Metrics(statistics, parent_slot=-1).text().decode())
    return {name: labels for name, labels in found.items() if "_device_" in name}


def samples(url: str) -> dict[str, set[str]]:
    return samples_of(fetch(url, "/metrics")[2])


def samples_of(text: str) -> dict[str, set[str]]:
    """The names of all samples, and the labels that each has."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_it_uses_what_there_is(uvicorn_server: Process):
    with Client(uvicorn_server.url) as client:
        assert client.post("mlp.pt", [tensor([1, 16], [0] * 16)]).status == 200
    known = samples(uvicorn_server.url) | device_samples()
    used = set()
    for query in queries(json.loads(DASHBOARD.read_text())):
        names = set(re.findall(r"\b(?:torch_serving|process)_\w+", query))
        assert names, query
        assert names <= set(known), query
        labels = {each for name in names for each in known[name]} | ADDED
        grouped = re.findall(r"by \(([^)]*)\)", query)
        matched = re.findall(r"(\w+)=~", query)
        used_labels = {each.strip() for group in grouped for each in group.split(",")} | set(
            matched
        )
        assert used_labels <= labels, query
        used |= names
    families = {re.sub("_(total|bucket|sum|count)$", "", name) for name in known}
    assert {re.sub("_(total|bucket|sum|count)$", "", name) for name in used} == families


def test_panels_lie_beside_each_other():
    taken = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
