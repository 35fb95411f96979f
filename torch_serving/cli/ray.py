"""`torch-serving ray`: servers on the machines of a Ray cluster, and a balancer before them."""

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch_serving.api_keys import read_keys
from torch_serving.cli.ray_flags import Request, build_parser, read_request
from torch_serving.cli.serving import print_notice
from torch_serving.errors import StartupError
from torch_serving.ray.serve_config import serve_config

if TYPE_CHECKING:
    from torch_serving.ray.node_report import NodeReport

__all__ = ["build_parser", "ray"]

EXIT_NOTHING = 1  # there is none of ours on the cluster
MOST_NAMES = 8  # models that are named in a line


def ray(argv: Sequence[str]) -> int:
    """Do what the first word says; return the exit code."""
    request = read_request(argv)
    if request.nodes and request.balancer and request.arguments.action == "config":
        print(serve_config(request.nodes, request.balancer), end="")
        return 0
    try:
        from torch_serving.ray import deployment
    except ModuleNotFoundError:
        raise StartupError("ray needs the extra `ray`: pip install 'torch-serving[ray]'") from None
    deployment.connect(request.arguments.address)
    return {"up": up, "down": down, "status": status}[request.arguments.action](request)


def up(request: Request) -> int:
    from torch_serving.ray import deployment

    if request.nodes and request.balancer:
        try:
            urls = deployment.up(request.nodes, request.balancer, print_notice)
        except KeyboardInterrupt:
            print_notice("Ray goes on with it; `torch-serving ray down` ends that")
            raise
        print("\n".join(urls))
    return 0


def down(request: Request) -> int:
    from torch_serving.ray import deployment

    if not deployment.is_up():
        print_notice("there are no nodes and no balancers on this cluster")
        return EXIT_NOTHING
    deployment.down()
    return 0


def status(request: Request) -> int:
    """Print what the registry knows, and what nodes say."""
    from torch_serving.ray import deployment
    from torch_serving.ray.node_report import ask_all

    if not deployment.is_up():
        print_notice("there are no nodes and no balancers on this cluster")
        return EXIT_NOTHING
    for text in deployment.unsettled():
        print_notice(text)
    table, balancers = deployment.table(), deployment.balancers()
    reports = ask_all(table.endpoints or (), key_of(request))
    if request.arguments.json:
        print(json.dumps(document_of(reports, table.copies, [each.url for each in balancers])))
        return 0
    print(table_of(reports))
    if table.copies:
        print("copies: " + ", ".join(f"{name} {each}" for name, each in table.copies.items()))
    print("balancers: " + (", ".join(each.url for each in balancers) or "none"))
    return 0


def key_of(request: Request) -> str | None:
    file = request.arguments.key_file
    return read_keys(file, "--key-file")[0] if file else os.environ.get("TORCH_SERVING_API_KEY")


def document_of(
    reports: "Sequence[NodeReport]", copies: Any, balancers: Sequence[str]
) -> dict[str, Any]:
    nodes = [
        {
            **report.endpoint._asdict(),
            "load": report.load,
            "requests": report.requests,
            "hits": report.hits,
            "models": report.held,
        }
        for report in reports
    ]
    return {"nodes": nodes, "copies": dict(copies or {}), "balancers": list(balancers)}


def table_of(reports: "Sequence[NodeReport]") -> str:
    """A line for each node."""
    rows = [
        ("slot", "node", "state", "queue", "busy", "requests", "hits", "models"),
        *map(row_of, reports),
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(each.ljust(width) for each, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    )


def row_of(report: "NodeReport") -> tuple[str, ...]:
    endpoint, load = report.endpoint, report.load or {}
    hits = "" if report.hits is None else f"{report.hits:.0%}"
    names = report.held[:MOST_NAMES]
    more = len(report.held) - len(names)
    models = f"{len(report.held)}: {', '.join(names)}" + (f" and {more} more" if more else "")
    said = models if report.models is not None else "it tells nothing; does it want --key-file?"
    return (
        str(endpoint.slot),
        f"{endpoint.host}:{endpoint.port}",
        endpoint.state,
        str(load.get("queue", "?")),
        f"{load.get('busy', '?')}/{load.get('threads', '?')}",
        str(report.requests),
        hits,
        said if report.held or report.models is None else "0",
    )
