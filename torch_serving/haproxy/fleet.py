"""What a balancer must know of a fleet."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch_serving.haproxy.address import Address, DnsName, checked, is_name
from torch_serving.haproxy.names import is_safe

UNSAFE = re.compile(r"""[\x00-\x1f"'\\$#,()\x7f]""")  # HAProxy gives them a meaning
USER = re.compile("[a-z_][a-z0-9_-]{0,31}")
LEAST_FACTOR = 101  # per cent of the mean: with 100, no node may have more than another
MOST_SLOTS = 4096
DEFAULT_BIND = Address("", 8000)
HEADERS_S, REQUEST_S = 10.0, 300.0  # the defaults of --header-timeout and --request-timeout


@dataclass(frozen=True)
class Fleet:
    """The nodes of a fleet, and the balancer before them.

    Give `nodes` or `dns`. A place in `nodes` is a slot, a place on the ring: a node that takes
    another's slot takes its models. None is a slot that is free; there are `slots` at least.
    Raises ValueError for what can't be said in a configuration.
    """

    nodes: Sequence[Address | None] = ()
    dns: DnsName | None = None
    bind: Address = DEFAULT_BIND
    tls_cert: Path | None = None  # certificate and key in one file, or the key in FILE.key
    node_ca: Path | None = None  # nodes speak HTTPS with certificates that this one signed
    balance_factor: int = 300  # per cent of the mean load that a node may have; 0: any
    copies: Mapping[str, int] = field(default_factory=dict)  # of hot models, by name
    copies_file: Path | None = None  # the same as a map, which the Runtime API can change
    slots: int = 0
    stats_socket: Path | None = None  # of the Runtime API
    stats: Address | None = None  # metrics for Prometheus, and a page
    header_timeout_s: float = HEADERS_S  # those of the nodes
    request_timeout_s: float = REQUEST_S
    max_connections: int = 4096
    threads: int | None = None  # one per core
    user: str | None = None  # and group, that it becomes if root starts it

    def __post_init__(self) -> None:
        if not (self.nodes or self.dns or self.slots):
            raise ValueError("a fleet has nodes, or a name of DNS that stands for them")
        if self.nodes and self.dns:
            raise ValueError("a fleet has either nodes or a name of DNS")
        if self.balance_factor and self.balance_factor < LEAST_FACTOR:
            raise ValueError(
                f"the balance factor is 0 or from {LEAST_FACTOR} on, got {self.balance_factor}"
            )
        if max(self.slots, len(self.nodes)) > MOST_SLOTS:
            raise ValueError(f"a balancer has {MOST_SLOTS} slots at most")
        if self.user and not USER.fullmatch(self.user):
            raise ValueError(f"{self.user!r} is no name of a user")
        self._check_addresses()
        self._check_files()
        for name, count in self.copies.items():
            if not is_safe(name) or count < 1:
                raise ValueError(f"copies of {name!r}: the name or the number can't be used")

    def _check_addresses(self) -> None:
        for address in (*self.nodes, self.bind, self.stats):
            if address is not None and address.host:
                checked(address)
        if self.dns and not is_name(self.dns.name):
            raise ValueError(f"{self.dns.name!r} is no name of DNS")
        used = [each for each in self.nodes if each is not None]
        twice = next((each for each in used if used.count(each) > 1), None)
        if twice:
            raise ValueError(f"the node {twice} is given twice")

    def _check_files(self) -> None:
        for path in (self.tls_cert, self.node_ca, self.copies_file, self.stats_socket):
            if path is not None and (found := UNSAFE.search(str(path))):
                raise ValueError(
                    f"the path {str(path)!r} has {found[0]!r}, which HAProxy can't read"
                )
