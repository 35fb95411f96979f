"""`torch-serving ray`: its flags and those of servers, its table, and without Ray."""

import importlib.util
from pathlib import Path

import pytest

from torch_serving.cli.main import main
from torch_serving.cli.ray import document_of, table_of
from torch_serving.cli.ray_flags import read_request
from torch_serving.ray.arguments import BalancerArguments, NodesArguments
from torch_serving.ray.node_report import NodeReport
from torch_serving.ray.table import Endpoint

MODEL = {"requests": 30, "hits": 27, "loaded": [{"device": "cpu"}]}
LOAD = {"queue": 1, "busy": 2, "threads": 4}
REPORTS = [
    NodeReport(Endpoint(1, "10.0.0.1", 4001), LOAD, [{"identifier": "a.pt", **MODEL}]),
    NodeReport(
        Endpoint(2, "10.0.0.2", 4002, "drain"),
        LOAD,
        [{"identifier": "b.pt", "requests": 0, "hits": 0, "loaded": []}],
    ),
    NodeReport(Endpoint(13, "10.0.0.30", 4003), None, None),
]
TABLE = """\
slot  node            state  queue  busy  requests  hits  models
1     10.0.0.1:4001   ready  1      2/4   30        90%   1: a.pt
2     10.0.0.2:4002   drain  1      2/4   0               0
13    10.0.0.30:4003  ready  ?      ?/?   0               it tells nothing; does it want --key-file?
"""
WRONG = [
    (["up"], "say which models: torch-serving ray up FOLDER"),
    ([], "the following arguments are required"),
    (["upp"], "invalid choice: 'upp'"),
    (["up", "m", "--nodes", "0"], "expected a number as in 4, or least and most as in 2-20"),
    (["up", "m", "--uds", "s"], "--uds: a node listens on the address of its machine"),
    (["up", "m", "--tls-key", "k"], "--tls-key: --tls-cert names certificate and key"),
    (["up", "m", "--server", "meinheld"], "meinheld does not serve /load"),
    (["up", "m", "--worker", "2", "--no-such"], "unrecognized arguments: --no-such"),
    (["up", "m", "--port", "0"], "port: expected 1 to 65535"),
    (["up", "m", "--resource", "fast"], "expected a name and an amount as in fast=1"),
    (["up", ".", "--nodez", "3"], "unrecognized arguments: --nodez 3; did you mean --nodes?"),
    (["up", ".", "--thread", "2", "extra"], "unrecognized arguments: extra"),
    (["up", ".", "--check"], "--check: `torch-serving FOLDER --check` looks for mistakes"),
    (["up", ".", "--print-config"], "--print-config: `torch-serving FOLDER --print-config`"),
    (["up", ".", "--json"], "up takes no --json"),
    (["up", "no-such-folder"], "no such folder or file: no-such-folder"),
    (["config", "m", "--key-file", "k"], "config takes no --key-file"),
    (["status", "m", "--workers", "2"], "unrecognized arguments: --workers"),
    (["status", "m"], "status takes no FOLDER"),
    (["down", "--nodes", "2"], "down takes no --nodes"),
    (["down", "--json"], "down takes no --json"),
]


def test_flags_that_are_not_of_the_fleet_are_those_of_each_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    own = ["--port=80", "--balancers", "2", "--resource", "fast=1", "--tls-cert", "c.pem"]
    servers = ["--workers", "2", "-c", "20", "--preload", "a.pt", "--request-timeout", "400"]
    argv = ["up", "models", "--nodes", "2-20", *servers[:6], *own, *servers[6:], "--gpus", "1"]
    request = read_request(argv)
    assert request.nodes == NodesArguments(
        str(tmp_path / "models"), "2-20", tuple(servers), gpus=1.0, resources={"fast": 1.0}
    )
    assert request.balancer == BalancerArguments(
        port=80, balancers=2, tls_cert=str(tmp_path / "c.pem"), request_timeout=400.0
    )


@pytest.mark.parametrize(
    ("flags", "whole"),
    [
        (["--api-key-file", "keys"], ["--api-key-file", "HERE/keys"]),
        (["--api-key-file=keys"], ["--api-key-file=HERE/keys"]),
        (["--config", "/etc/a.toml", "--watch"], ["--config", "/etc/a.toml", "--watch"]),
        (["--api-key", "keys", "-c", "2"], ["--api-key-file", "HERE/keys", "-c", "2"]),
        (["--shutdown", "5", "--import", "ops"], ["--shutdown-timeout", "5", "--import", "ops"]),
        (["-c2", "--name", "a=keys"], ["-c2", "--name", "a=keys"]),
    ],
)
def test_flags_of_nodes_mean_the_same_in_any_folder(
    flags: list[str], whole: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    nodes = read_request(["config", "/models", *flags]).nodes
    assert nodes
    assert nodes.flags == tuple(each.replace("HERE", str(tmp_path)) for each in whole)


def test_a_root_that_is_a_url_stays_one():
    nodes = read_request(["config", "s3://bucket/models"]).nodes
    assert nodes
    assert nodes.model_root == "s3://bucket/models"


@pytest.mark.parametrize(("argv", "message"), WRONG)
def test_wrong_flags(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["ray", *argv])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_config_needs_no_ray(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["ray", "config", "/models", "--nodes", "3", "--workers", "2"])
    assert ended.value.code == 0
    assert '      flags: ["--workers", "2"]\n' in capsys.readouterr().out


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_it_says_what_to_install(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["ray", "status"])
    assert ended.value.code == 2
    assert "pip install 'torch-serving[ray]'" in capsys.readouterr().err


def test_the_table_of_nodes():
    assert table_of(REPORTS) + "\n" == TABLE


def test_the_document_of_nodes():
    found = document_of(REPORTS[:1], {"a.pt": 2}, ["http://10.0.0.9:8000"])
    assert found == {
        "nodes": [
            {
                "slot": 1,
                "host": "10.0.0.1",
                "port": 4001,
                "state": "ready",
                "load": LOAD,
                "requests": 30,
                "hits": 0.9,
                "models": ["a.pt"],
            }
        ],
        "copies": {"a.pt": 2},
        "balancers": ["http://10.0.0.9:8000"],
    }
