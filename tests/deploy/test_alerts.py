"""The alert rules are valid, use metrics of the server, and say what they should."""

import re
import subprocess
from pathlib import Path

from tests.support.deployed import DEPLOY, tool
from torch_serving.telemetry.prometheus import families

ALERTS = DEPLOY / "prometheus" / "alerts.yml"
HISTORIES = Path(__file__).with_name("alerts.test.yml")


def promtool(*arguments: str | Path) -> str:
    command = [tool("promtool", "apt-get install prometheus"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_they_use_metrics_that_there_are():
    known = {name for name, _ in families()}
    used = set(re.findall(r"\b(?:torch_serving|process)_\w+", ALERTS.read_text()))
    assert len(used) > 8
    bases = {re.sub("_(total|bucket|sum|count|info)$", "", name) for name in used}
    assert bases <= known | {"torch_serving_build"}


def test_prometheus_takes_them():
    assert "15 rules found" in promtool("check", "rules", ALERTS)


def test_they_say_what_they_should():
    promtool("test", "rules", HISTORIES)
