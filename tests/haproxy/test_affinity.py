"""Which node gets a request: the same one for all that is about one model."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.haproxy.conftest import Nodes
from tests.support.balancer import Balancer, node_for
from tests.support.client import Client
from tests.support.process import wait_until
from torch_serving.haproxy import Fleet

# There need be no such models: a node that knows none says so.
NAMES = [
    "mlp.pt",
    "text/small.pt2",
    "two words.pt",
    "été/naïve 模型.pt",
    "a+b&c=d.pt",
    "infer/loads.pt",
    "50%25.pt",
    "net.torchscript",
    "versions/7.pt",
]


def spellings(name: str) -> list[tuple[str, str]]:
    """Requests about one model, as methods and targets."""
    stem = name.removesuffix(".pt").removesuffix(".pt2")
    requests = [
        ("POST", f"/serve?servable_identifier={quote(name)}"),
        ("POST", f"/serve?servable_identifier={quote(name, safe='')}&plain=1"),
        ("POST", f"/serve?plain=1&servable_identifier={quote_plus(name)}"),
        ("POST", f"/serve?servable_identifier={quote_plus(stem)}"),
        ("POST", f"/serve?servable_identifier=./{quote(name).replace('/', '//')}"),
        ("POST", f"//serve?servable_identifier={quote(name).lower()}"),  # %c3 for %C3
        ("GET", f"//v2/models/{quote(name)}/ready"),
        ("GET", f"/%76%32/models/.//{quote(stem).replace('/', '/./')}/ready/"),
        ("GET", f"//models/{quote(name)}/"),
    ]
    for path in (quote(name), quote(name, safe=""), quote(stem)):
        for method, rest in (("GET", ""), ("POST", "/infer"), ("GET", "/ready"), ("GET", "/stats")):
            requests.append((method, f"/v2/models/{path}{rest}"))
            requests.append((method, f"/v2/models/{path}/versions/1{rest}"))
        requests += [
            ("GET", f"/v2/models/{path}/config?verbose=1"),
            ("POST", f"/v2/repository/models/{path}/load"),
            ("POST", f"/v2/repository/models/{path}/unload"),
            ("GET", f"/models/{path}"),
            ("DELETE", f"/models/{path}"),
            ("POST", f"/models/{path}/load?device=cpu"),
        ]
    return requests


@pytest.mark.parametrize("name", NAMES)
def test_all_requests_about_a_model_meet(name: str, balancer: Balancer):
    with Client(balancer.url) as client:
        found = {
            target: node_for(client, target, method, b"[]" if method == "POST" else None)
            for method, target in spellings(name)
        }
    assert len(set(found.values())) == 1, found


def test_models_are_on_all_nodes(balancer: Balancer):
    with Client(balancer.url) as client:
        homes = [node_for(client, f"/v2/models/{number}.pt/stats") for number in range(40)]
        assert homes == [node_for(client, f"/models/{number}.pt") for number in range(40)]
    assert set(homes) == {"n1", "n2", "n3"}
    assert min(map(homes.count, set(homes))) > 4


def test_what_is_about_no_model_is_asked_of_one_node(balancer: Balancer):
    targets = ["/", "/models", "/metrics", "/load", "/v2", "/v2/models", "/openapi.json", "/ready"]
    with Client(balancer.url) as client:
        found = {target: node_for(client, target) for target in targets}
    assert len(set(found.values())) == 1, found


def test_two_balancers_agree(balancer: Balancer, nodes: Nodes, balance: Callable[..., Balancer]):
    other = balance(Fleet(nodes.addresses, balance_factor=500))
    wait_until(lambda: len(other.up()) == 3)
    targets = [f"/models/{number}.pt" for number in range(20)]
    with Client(balancer.url) as one, Client(other.url) as two:
        assert [node_for(one, each) for each in targets] == [
            node_for(two, each) for each in targets
        ]


def test_copies(balancer: Balancer, nodes: Nodes, balance: Callable[..., Balancer], tmp_path: Path):
    """A hot model is on several nodes, its first one included; others stay where they are."""
    file = tmp_path / "copies.map"
    file.write_text("# of hot models\nby/file 2\n")
    named = {"two words.pt": 9}
    copied = balance(Fleet(nodes.addresses, copies=named, copies_file=file))
    wait_until(lambda: len(copied.up()) == 3)

    def homes(client: Client, name: str) -> set[str]:
        return {node_for(client, f"/models/{quote(name)}") for _ in range(40)}

    with Client(copied.url) as client, Client(balancer.url) as plain:
        assert len(homes(client, "two words.pt")) == 3
        assert len(homes(client, "by/file.pt")) <= 2
        for number in range(20):
            assert homes(plain, f"{number}.pt") == homes(client, f"{number}.pt")
        assert copied.tell(f"add map {file} later 9") == ""
        assert len(homes(client, "later.pt")) > 1
        assert copied.tell(f"set map {file} later 1") == ""
        assert homes(client, "later.pt") == homes(plain, "later.pt")
