"""The Helm chart: what it makes is valid, and says what the server and HAProxy understand."""

import re
import subprocess
from typing import Any

import pytest

from tests.support.deployed import (
    CHART,
    complaint_about,
    document_of,
    documents_in,
    is_confined,
    tool,
)
from tests.support.pages import blocks_of, commands_of
from torch_serving.cli.flags import build_parser
from torch_serving.haproxy import Address, DnsName, Fleet, render
from torch_serving.telemetry.prometheus import families

helm = pytest.importorskip("helm_python", reason="`make check-deploy` installs helm-python-sdk")

CONFIG = CHART / "files" / "haproxy.cfg"
EVERYTHING: dict[str, Any] = {
    "keysSecret": "keys",
    "imagePullSecrets": [{"name": "registry"}],
    "nodes": {
        "args": ["--preload", "*.pt", "--watch"],
        "env": [{"name": "OMP_NUM_THREADS", "value": "1"}],
        "serviceAccount": "reader",
        "annotations": {"team": "ml"},
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "resources": {"limits": {"memory": "16Gi", "nvidia.com/gpu": 1}},
    },
    "balancer": {
        "annotations": {"team": "ml"},
        "service": {"type": "LoadBalancer", "annotations": {"internal": "true"}},
        "affinity": {"nodeAffinity": {}},
    },
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}]},
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "credentials": {"name": "keys", "key": "prometheus"},
    },
}
VALUES: list[dict[str, Any]] = [
    {},
    EVERYTHING,
    {"models": {"root": "s3://bucket/models"}},
    {"models": {"volume": {"persistentVolumeClaim": None, "nfs": {"server": "a", "path": "/b"}}}},
    {"autoscaling": {"by": "cpu"}},
    {"autoscaling": {"by": "load"}},
    {"autoscaling": {"by": "load", "authentication": "keys"}},
    {"autoscaling": {"by": "prometheus"}},
]
WRONG: list[dict[str, Any]] = [
    {"replicas": 3},
    {"nodes": {"replicas": "three"}},
    {"nodes": {"args": "--watch"}},
    {"autoscaling": {"by": "queue"}},
    {"balancer": {"service": {"type": "Ingress"}}},
    {"networkPolicy": {"from": ["monitoring"]}},
]


def rendered(values: dict[str, Any], name: str = "fleet") -> dict[tuple[str, str], dict[str, Any]]:
    """The resources by their kind and name."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name=name, namespace="ml")
    resources = [
        document
        for path, text in files.items()
        if path.endswith(".yaml")
        for document in documents_in(text)
    ]
    return {(each["kind"], each["metadata"]["name"]): each for each in resources}


def pod_of(resource: dict[str, Any]) -> dict[str, Any]:
    return resource["spec"]["template"]["spec"]


def test_lint_finds_nothing():
    report = helm.lint(CHART, strict=True)
    assert report["errors"] == []
    assert {each["error"] for each in report["messages"]} <= {"icon is recommended"}


@pytest.mark.parametrize("values", VALUES, ids=str)
def test_what_it_makes_is_valid(values: dict[str, Any]):
    resources = rendered(values)
    assert len(resources) >= 7
    assert {key: complaint_about(each) for key, each in resources.items()} == dict.fromkeys(
        resources, ""
    )


def test_the_judges_find_mistakes():
    resources = rendered(VALUES[-1])
    node = resources["Deployment", "fleet-torch-serving-nodes"]
    pod_of(node)["containers"][0]["readyProbe"] = {}
    scaled = resources["ScaledObject", "fleet-torch-serving-nodes"]
    scaled["spec"]["maxReplicas"] = 3
    assert "readyProbe" in complaint_about(node)
    assert "maxReplicas" in complaint_about(scaled)


@pytest.mark.parametrize("values", WRONG, ids=str)
def test_wrong_values_are_refused(values: dict[str, Any]):
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmValuesError):
        chart.validate_schema(values)


def test_its_configuration_is_what_the_command_prints():
    printed = render(Fleet(dns=DnsName("nodes"), stats=Address("", 8404)))
    assert CONFIG.read_text() == printed, "`make format` writes it"
    host = "fleet-torch-serving-nodes.ml.svc.cluster.local"
    config = rendered({})["ConfigMap", "fleet-torch-serving"]["data"]["haproxy.cfg"]
    assert config == render(Fleet(dns=DnsName(host), stats=Address("", 8404)))


def test_a_configuration_of_ones_own_takes_its_place():
    given = render(Fleet(dns=DnsName("others"), balance_factor=500))
    resources = rendered({"balancer": {"config": given}})
    assert resources["ConfigMap", "fleet-torch-serving"]["data"]["haproxy.cfg"] == given


def test_haproxy_takes_its_configuration():
    haproxy = tool("haproxy", "apt-get install haproxy")
    command = [haproxy, "-c", "-f", str(CONFIG)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("values", VALUES, ids=str)
def test_nodes_get_flags_that_exist(values: dict[str, Any]):
    pod = pod_of(rendered(values)["Deployment", "fleet-torch-serving-nodes"])
    [container] = pod["containers"]
    read = vars(build_parser().read(container["args"]))
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    assert str(read.get("remote_cache", read["model_root"])) in mounts
    if "keysSecret" in values:
        assert str(read["api_key_file"].parent) in mounts
    needed = read["drain_delay_s"] + read["shutdown_timeout_s"] + 5
    assert pod["terminationGracePeriodSeconds"] > needed
    assert read["open_health"]


@pytest.mark.parametrize("name", ["fleet-torch-serving-nodes", "fleet-torch-serving"])
def test_pods_have_no_rights_that_they_do_not_need(name: str):
    pod = pod_of(rendered({})["Deployment", name])
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert all(is_confined(container) for container in pod["containers"])


def test_names_and_selectors_belong_together():
    resources = rendered({}, name="torch-serving")
    for name in ("torch-serving", "torch-serving-nodes"):
        labels = resources["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        selected = resources["Service", name]["spec"]["selector"]
        assert selected.items() <= labels.items()
        budget = resources["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"]
        assert budget == selected
    assert resources["Service", "torch-serving-nodes"]["spec"]["clusterIP"] == "None"


def test_a_policy_lets_balancers_reach_nodes():
    key = ("NetworkPolicy", "fleet-torch-serving-nodes")
    assert key not in rendered({})
    resources = rendered(EVERYTHING)
    policy = resources[key]["spec"]
    assert (
        policy["podSelector"]["matchLabels"]
        == (resources["Service", "fleet-torch-serving-nodes"]["spec"]["selector"])
    )
    [rule] = policy["ingress"]
    balancers, *others = rule["from"]
    assert (
        balancers["podSelector"]["matchLabels"]
        == (resources["Service", "fleet-torch-serving"]["spec"]["selector"])
    )
    assert others == EVERYTHING["networkPolicy"]["from"]
    nodes = pod_of(resources["Deployment", "fleet-torch-serving-nodes"])
    assert {each["port"] for each in rule["ports"]} <= {
        each["name"] for each in nodes["containers"][0]["ports"]
    }


def test_scaling_asks_for_what_the_server_tells():
    key = ("ScaledObject", "fleet-torch-serving-nodes")
    load = rendered({"autoscaling": {"by": "load"}})[key]["spec"]
    names = {each["name"]: each["metadata"]["valueLocation"] for each in load["triggers"]}
    assert names == {"waiting": "queue", "running": "busy"}
    formula = load["advanced"]["scalingModifiers"]["formula"]
    assert set(re.findall(r"\w+", formula)) == set(names)
    [trigger] = rendered({"autoscaling": {"by": "prometheus"}})[key]["spec"]["triggers"]
    used = set(re.findall(r"torch_serving_\w+", trigger["metadata"]["query"]))
    assert used < {name for name, _ in families()}
    assert (
        "replicas"
        not in rendered({"autoscaling": {"by": "load"}})["Deployment", "fleet-torch-serving-nodes"][
            "spec"
        ]
    )


def test_its_version_is_that_of_the_project():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((CHART.parents[2] / "pyproject.toml").read_text())["project"]
    assert document_of(CHART / "Chart.yaml")["appVersion"] == project["version"]


@pytest.mark.parametrize("page", ["docs/recipes/container.md"])
def test_pages_set_values_that_there_are(page: str):
    for command in [
        command
        for block in blocks_of(page)
        if block.language == "sh"
        for command in commands_of(block.text)
        if command.startswith("helm ")
    ]:
        values: dict[str, Any] = {}
        for text in re.findall(r"--set (\S+)", command):
            path, _, value = text.strip("'").partition("=")
            at = values
            for name in path.split(".")[:-1]:
                at = at.setdefault(name, {})
            at[path.split(".")[-1]] = int(value) if value.isdigit() else value
        with helm.Chart.load(CHART) as chart:
            chart.validate_schema(values)
