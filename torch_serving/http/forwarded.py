"""Whose request a trusted proxy passes on: X-Forwarded-For and X-Forwarded-Proto."""

import functools
import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Peer = tuple[str, int]
UNIX = "unix:"  # as nginx writes it
MAX_REMEMBERED = 1024  # headers: a proxy sends the same one for each request of a client
MAX_LENGTH = 256  # of one that is remembered


class TrustedProxies:
    """Addresses and networks, with commas between them; `unix:` for Unix sockets, `*` for all.

    Raises ValueError for anything else.
    """

    def __init__(self, text: str) -> None:
        entries = [each.strip() for each in text.split(",") if each.strip()]
        self._all = "*" in entries
        self._unix = self._all or UNIX in entries
        addresses = [each for each in entries if each not in ("*", UNIX)]
        self._networks = [ipaddress.ip_network(each) for each in addresses]
        self._remembered = functools.lru_cache(MAX_REMEMBERED)(self._last_client)

    def trust(self, peer: Peer | None) -> bool:
        """Whether what a peer says of its clients is believed; None: it came by a Unix socket."""
        if peer is None:
            return self._unix
        return self._all or self._is_proxy(address_of(peer[0]))

    def client_of(self, values: Sequence[bytes], peer: Peer | None) -> Peer | None:
        """Return the last client that no trusted proxy is, as X-Forwarded-For says.

        What is no address ends the chain: it comes from before the proxies.
        """
        text = b",".join(values)
        read = self._remembered if len(text) <= MAX_LENGTH else self._last_client
        return read(text) or peer

    def _last_client(self, text: bytes) -> Peer | None:
        client = None
        for entry in reversed(text.decode("latin-1").split(",")):
            address = address_of(entry.strip())
            if address is None:
                break
            client = (str(address), 0)
            if not (self._all or self._is_proxy(address)):
                break
        return client

    def _is_proxy(self, address: Address | None) -> bool:
        return address is not None and any(address in each for each in self._networks)


def address_of(text: str) -> Address | None:
    """Read an address, which may have a port behind it."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def scheme_of(value: bytes, scheme: str) -> str:
    """The scheme that the client used, as X-Forwarded-Proto says."""
    given = value.strip().lower()
    return given.decode() if given in (b"http", b"https") else scheme
