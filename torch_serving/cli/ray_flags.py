"""The flags of `torch-serving ray`."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch_serving.cli.flag_types import natural, port, positive
from torch_serving.cli.flags import Parser
from torch_serving.cli.near_path import near_path
from torch_serving.cli.node_flags import read_node_flags, with_whole_paths
from torch_serving.config import Config
from torch_serving.ray.arguments import BalancerArguments, NodesArguments, counts_in

DESCRIPTION = """\
Serve a folder of models on the machines of a Ray cluster: a server on each, and HAProxy before
them, which sends each model to its server.

up puts it on the cluster, or updates what is there; down removes it; status shows what each node
has; config prints the same as YAML for `serve deploy` and KubeRay.
"""
EPILOG = """\
examples:
  ray start --head                                   a cluster of this machine
  torch-serving ray up /models --nodes 3             three nodes, http://<address>:8000
  torch-serving ray up /models --nodes 2-20 --balancers 2 --workers auto --model-memory 8GiB
  torch-serving ray status
  torch-serving ray config /models --nodes 3 > serve.yaml

All other flags are those of each server. Models, keys and certificates must be at the same path on
all machines. See docs/ray.md.
"""
ACTIONS = ("up", "down", "status", "config")
OF_STATUS = {"json", "key_file"}
OF_DOWN = {"action", "address"}


class Request(NamedTuple):
    """What is asked of the cluster."""

    arguments: argparse.Namespace
    nodes: NodesArguments | None = None
    balancer: BalancerArguments | None = None


def read_request(argv: Sequence[str]) -> Request:
    """Read the flags, ours and those of servers. Ends the process if they are wrong."""
    parser = build_parser()
    own, others = split(argv, parser)
    deploys = bool(argv) and argv[0] in ("up", "config")
    if deploys and len(argv) > 1 and not argv[1].startswith("-"):
        own, others = [*own[:1], argv[1], *own[1:]], others[1:]
    arguments = parser.read(own if deploys else [*own, *others])
    refuse_flags_of_others(parser, arguments)
    if not deploys:
        return Request(arguments)
    if arguments.root is None:
        parser.error(f"say which models: torch-serving ray {arguments.action} FOLDER …")
    try:
        request = Request(arguments, *both(parser, arguments, others))
    except ValueError as error:
        parser.error(str(error))
    if arguments.action == "up":
        check_root(parser, arguments.root)
    return request


def split(argv: Sequence[str], parser: Parser) -> tuple[list[str], list[str]]:
    """Separate our words from those of the server."""
    own, others = list(argv[:1]), []
    words = iter(argv[1:])
    for word in words:
        action = parser._option_string_actions.get(word.partition("=")[0])
        if action is None:
            others.append(word)
            continue
        own.append(word)
        if action.nargs != 0 and "=" not in word:
            own.extend(each for each in [next(words, None)] if each is not None)
    return own, others


def refuse_flags_of_others(parser: Parser, arguments: argparse.Namespace) -> None:
    """End the process for flags that say nothing of what shall be done."""
    every = set(vars(arguments))
    taken = {"down": OF_DOWN, "status": OF_DOWN | OF_STATUS}.get(
        arguments.action, every - OF_STATUS
    )
    for name in sorted(every - taken):
        if getattr(arguments, name) != parser.get_default(name):
            flag = "FOLDER" if name == "root" else f"--{name.replace('_', '-')}"
            parser.error(f"{arguments.action} takes no {flag}; leave it out")


def check_root(parser: Parser, root: str) -> None:
    """End the process for a folder that is not here: machines have models at the same path."""
    if not ("://" in root or Path(root).exists()):
        parser.error(f"no such folder or file: {root}{near_path(Path(root))}")


def both(
    parser: Parser, arguments: argparse.Namespace, flags: Sequence[str]
) -> tuple[NodesArguments, BalancerArguments]:
    """Return the arguments of both applications. Raises ValueError."""
    set_up = vars(read_node_flags(parser, flags))
    nodes = NodesArguments(
        root_of(arguments.root),
        arguments.nodes,
        with_whole_paths(flags),
        waiting=arguments.waiting,
        cpus=arguments.cpus,
        gpus=arguments.gpus,
        resources=dict(arguments.resource or ()),
    )
    balancer = BalancerArguments(
        port=arguments.port,
        host=arguments.host,
        balancers=arguments.balancers,
        tls_cert=str(arguments.tls_cert.absolute()) if arguments.tls_cert else "",
        balance_factor=arguments.balance_factor,
        max_copies=arguments.max_copies,
        header_timeout=set_up.get("header_timeout_s", Config.header_timeout_s),
        request_timeout=set_up.get("request_timeout_s", Config.request_timeout_s),
        resources=dict(arguments.balancer_resource or ()),
    )
    return nodes, balancer


def root_of(text: str) -> str:
    """A folder is named from anywhere; a URL is what it is."""
    return text if "://" in text else str(Path(text).absolute())


def build_parser() -> Parser:
    parser = Parser(
        "ray",
        usage="torch-serving ray {up,config} FOLDER [flags] [flags of the server]\n"
        "       torch-serving ray {down,status} [flags]",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    actions = f"{{{','.join(ACTIONS)}}}"
    parser.add_argument("action", metavar=actions, choices=ACTIONS, help="what to do")
    parser.add_argument("root", metavar="FOLDER", nargs="?", help="the folder with the models")
    parser.add_argument(
        "--address", help="the cluster (default: RAY_ADDRESS, or the one of this machine)"
    )
    add_nodes(parser.add_argument_group("nodes"))
    add_balancers(parser.add_argument_group("balancers"))
    group = parser.add_argument_group("status")
    group.add_argument("--json", action="store_true", help="print all as JSON")
    group.add_argument(
        "--key-file", metavar="FILE", type=Path, help="ask nodes with the first key in this file"
    )
    return parser


def add_nodes(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--nodes",
        metavar="N|MIN-MAX",
        type=nodes_count,
        default="1",
        help="how many, or between which numbers, as load wants (default: 1)",
    )
    group.add_argument(
        "--waiting",
        metavar="N",
        type=positive,
        default=4,
        help="requests on a node, running or waiting, that MIN-MAX aims at (default: 4)",
    )
    group.add_argument(
        "--cpus",
        metavar="N",
        type=amount,
        default=1.0,
        help="what Ray counts a node as; it takes a machine anyway (default: 1)",
    )
    group.add_argument(
        "--gpus",
        metavar="N",
        type=amount,
        default=0.0,
        help="cards that Ray keeps for each node (default: 0, it takes those that it sees)",
    )
    group.add_argument(
        "--resource",
        metavar="NAME=N",
        type=resource,
        action="append",
        help="put nodes where Ray has this resource; may be repeated",
    )


def add_balancers(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--balancers",
        metavar="N",
        type=positive,
        default=1,
        help="how many, on different machines (default: 1)",
    )
    group.add_argument("-p", "--port", type=port, default=8000, help="(default: 8000)")
    group.add_argument(
        "--host", default="", help="where they listen (default: the address of their machine)"
    )
    group.add_argument(
        "--tls-cert",
        metavar="FILE",
        type=Path,
        help="speak HTTPS with the certificate and the key in this file",
    )
    group.add_argument(
        "--balance-factor",
        metavar="PERCENT",
        type=natural,
        default=300,
        help="of the mean load, that a node may have before others get its models (default: 300)",
    )
    group.add_argument(
        "--max-copies",
        metavar="N",
        type=natural,
        default=0,
        help="places of a hot model, on as many nodes at most; 1: none is copied (default: 0, any)",
    )
    group.add_argument(
        "--balancer-resource",
        metavar="NAME=N",
        type=resource,
        action="append",
        help="put balancers where Ray has this resource; may be repeated",
    )


def nodes_count(text: str) -> str:
    try:
        counts_in(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def amount(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
        raise argparse.ArgumentTypeError(f"expected a number as in 2 or 0.5, got {text!r}")
    return float(text)


def resource(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(
            f"expected a name and an amount as in fast=1, got {text!r}"
        )
    return name, amount(number)
