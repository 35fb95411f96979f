"""The alert rules are valid, and use metrics of the server."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from torch_serving.telemetry.prometheus import families

ALERTS = Path(__file__).parents[2] / "example" / "alerts.yml"


def test_they_use_metrics_that_there_are():
    known = {name for name, _ in families()}
    used = set(re.findall(r"\b(?:torch_serving|process)_\w+", ALERTS.read_text()))
    assert len(used) > 8
    bases = {re.sub("_(total|bucket|sum|count|info)$", "", name) for name in used}
    assert bases <= known | {"torch_serving_build"}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool, of Prometheus, is not here")
def test_prometheus_takes_them():
    command = ["promtool", "check", "rules", str(ALERTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "12 rules found" in done.stdout
