"""compose.yaml, and what Prometheus and Grafana get there."""

import json
import re
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from tests.support.deployed import DEPLOY, document_of, tool
from torch_serving.cli.flags import build_parser

COMPOSE = DEPLOY / "compose.yaml"
PROMETHEUS = DEPLOY / "prometheus"
GRAFANA = DEPLOY / "grafana"


def interpolated(value: Any) -> Any:
    """What compose makes of a value where the environment has no variables: their defaults."""
    if isinstance(value, dict):
        return {key: interpolated(each) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each) for each in value]
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) if isinstance(value, str) else value


def compose() -> dict[str, Any]:
    return interpolated(document_of(COMPOSE))


def services() -> dict[str, Any]:
    return compose()["services"]


def test_the_schema_takes_it():
    schema = ["--builtin-schema", "vendor.compose-spec"]
    command = [tool("check-jsonschema"), *schema, str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_mounts_is_there():
    mounted = [
        each.partition(":")[0] for service in services().values() for each in service["volumes"]
    ]
    files = [each for each in mounted if each.startswith("./")]
    assert len(files) == 5
    assert all((DEPLOY / each).exists() for each in files)
    assert (DEPLOY / services()["nodes"]["build"]["context"] / "pyproject.toml").exists()


def test_nodes_get_flags_that_exist():
    nodes = services()["nodes"]
    read = vars(build_parser().read(nodes["command"]))
    assert nodes["volumes"][0].split(":")[-2] == str(read["model_root"])
    grace_s = float(nodes["stop_grace_period"].removesuffix("s"))
    assert grace_s > read["drain_delay_s"] + read.get("shutdown_timeout_s", 60) + 5
    assert "ports" not in nodes
    assert nodes["networks"] == ["fleet"]


def test_nodes_believe_the_balancer_alone():
    fleet = compose()["networks"]["fleet"]
    assert fleet["internal"]
    [network] = fleet["ipam"]["config"]
    balancer = services()["balancer"]["networks"]["fleet"]["ipv4_address"]
    command = services()["nodes"]["command"]
    assert command[command.index("--forwarded-allow-ips") + 1] == balancer
    assert ip_address(balancer) in ip_network(network["subnet"])
    assert ip_address(balancer) not in ip_network(network["ip_range"])  # no other gets it


def test_only_this_machine_reaches_it():
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len(ports) == 3


def test_the_balancer_is_told_of_the_nodes():
    config = DEPLOY / services()["balancer"]["volumes"][0].partition(":")[0]
    assert " nodes:8888 resolvers " in config.read_text()
    assert "bind :8000\n" in config.read_text()


def test_prometheus_takes_its_configuration():
    promtool = tool("promtool", "apt-get install prometheus")
    command = [promtool, "check", "config", str(PROMETHEUS / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    jobs = document_of(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    names = [each["dns_sd_configs"][0]["names"] for each in jobs]
    assert [name for [name] in names] == ["nodes", "balancer"]


def test_grafana_finds_its_files():
    [source] = document_of(GRAFANA / "datasources.yaml")["datasources"]
    assert (
        source["type"]
        == json.loads((GRAFANA / "dashboard.json").read_text())["templating"]["list"][0]["query"]
    )
    [provider] = document_of(GRAFANA / "dashboards.yaml")["providers"]
    targets = [each.split(":")[1] for each in services()["grafana"]["volumes"]]
    assert provider["options"]["path"] in {str(Path(each).parent) for each in targets}
