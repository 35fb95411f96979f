"""Where nodes and balancers listen: hosts and ports, as a configuration may have them."""

import ipaddress
import re
from typing import NamedTuple

DEFAULT_PORT = 8888
LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
NAME = re.compile(rf"{LABEL}(\.{LABEL})*\.?")
MAX_NAME = 253


class Address(NamedTuple):
    """A host, which is a name or an IP address without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class DnsName(NamedTuple):
    """A name whose addresses are the nodes; without a port, its SRV records tell that too."""

    name: str
    port: int | None = DEFAULT_PORT

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"


def read_address(text: str, port: int | None = None) -> Address:
    """Read `host:port`, `[::1]:port`, and `host` if there is a default. Raises ValueError."""
    host, colon, digits = text.rpartition(":")
    if not colon or digits.endswith("]"):
        host, digits = text, "" if port is None else str(port)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r} has several colons: write an IPv6 address as [::1]:8888")
    if not digits:
        raise ValueError(f"{text!r} has no port; expected host:port, as in 10.0.0.7:8888")
    return checked(Address(host, read_port(digits, text)))


def read_dns_name(text: str) -> DnsName:
    """Read `name`, `name:port`, or the name of SRV records, as in `_http._tcp.nodes`.

    Raises ValueError.
    """
    name, colon, digits = text.partition(":")
    if not is_name(name):
        raise ValueError(f"{text!r}: expected a name of DNS, as in nodes.default.svc or nodes:8888")
    if colon:
        return DnsName(name, read_port(digits, text))
    return DnsName(name, None if name.startswith("_") else DEFAULT_PORT)


def read_port(digits: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", digits) or not 0 < int(digits) < 65536:
        raise ValueError(f"{text!r}: expected a port from 1 to 65535, got {digits!r}")
    return int(digits)


def checked(address: Address) -> Address:
    """Return an address whose host is one. Raises ValueError."""
    if not is_ip_address(address.host) and not is_name(address.host):
        raise ValueError(f"{address.host!r} is neither an IP address nor a name of DNS")
    return address


def is_name(text: str) -> bool:
    return len(text) <= MAX_NAME and NAME.fullmatch(text) is not None


def is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
