"""The arguments of the two applications."""

from typing import Any

import pytest

from torch_serving.ray.arguments import (
    BalancerArguments,
    NodesArguments,
    counts_in,
    flag_value,
    given,
    read,
)

WRONG: list[tuple[type, dict[str, Any], str]] = [
    (NodesArguments, {}, "the argument model_root is missing"),
    (NodesArguments, {"model_root": "/m", "node": 2}, "no such argument: node; did you mean nodes"),
    (NodesArguments, {"model_root": "/m", "nodes": "3-2"}, "least and most as in 2-20"),
    (NodesArguments, {"model_root": "/m", "nodes": 0}, "nodes: expected a number as in 4"),
    (NodesArguments, {"model_root": "/m", "waiting": 0}, "waiting: expected more than 0"),
    (NodesArguments, {"model_root": "/m", "cpus": "two"}, "the argument cpus: 'two' is not of its"),
    (NodesArguments, {"model_root": ""}, "expected the folder with the models"),
    (BalancerArguments, {"port": 0}, "port: expected 1 to 65535"),
    (BalancerArguments, {"balancers": 0}, "at least 1"),
    (BalancerArguments, {"resources": "front"}, "the argument resources"),
]


def test_they_are_what_yaml_has():
    args = {
        "model_root": "/models",
        "nodes": 3,
        "flags": "--workers 2 --preload 'a b.pt'",
        "cpus": "4",
    }
    found = read(NodesArguments, args)
    flags = ("--workers", "2", "--preload", "a b.pt")
    assert found == NodesArguments("/models", "3", flags, cpus=4.0)
    assert given(found) == {"model_root": "/models", "nodes": "3", "flags": [*flags], "cpus": 4.0}
    assert read(NodesArguments, given(found)) == found


@pytest.mark.parametrize(("kind", "args", "message"), WRONG)
def test_wrong_ones_are_refused(kind: type, args: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        read(kind, args)


def test_counts():
    assert counts_in("4") == (4, 4)
    assert counts_in("2-20") == (2, 20)


def test_flags_of_servers_that_matter_here():
    flags = ("--api-key-file", "/keys", "--shutdown-timeout=20", "--drain-delay", "5", "-v")
    nodes = NodesArguments("/m", flags=flags)
    assert nodes.drain_s == 25
    assert nodes.api_key_file == "/keys"
    assert NodesArguments("/m").drain_s == 60
    assert flag_value(("--a", "1", "--a", "2"), "--a") == "2"
    assert flag_value(("--a",), "--a") is None
