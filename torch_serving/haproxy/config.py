"""The text of a configuration, made of `haproxy.cfg` and what a fleet is."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template

from torch_serving.haproxy.address import is_ip_address
from torch_serving.haproxy.fleet import Fleet
from torch_serving.haproxy.names import key_of

TEMPLATE = Path(__file__).with_name("haproxy.cfg")
DNS_SLOTS = 64
CLIENT_S = 80  # longer than a node waits for a client that does not read
BUFFER_S = 20  # what the first 16 KiB of a body may take, a little less than 1 KiB a second
MORE_S = 10  # than the deadline of nodes, which answer by then
RETRY_AFTER_S = 1
ERRORS = {
    400: ("Invalid HTTP request", "the balancer can't read it; is its path percent-encoded?"),
    408: ("Request timeout", "the request did not arrive in time"),
    500: ("Unexpected server error", "the balancer failed"),
    502: ("Node failed", "the node ended before it answered, and this request is not sent again"),
    503: ("Server overloaded", "no node is ready"),
    504: ("Deadline exceeded", "the node did not answer in time"),
}


def render(fleet: Fleet) -> str:
    """Return the configuration for a fleet."""
    single = {
        "max_connections": str(fleet.max_connections),
        "header_timeout": time_of(fleet.header_timeout_s + BUFFER_S),
        "client_timeout": f"{CLIENT_S}s",
        "server_timeout": time_of(fleet.request_timeout_s + MORE_S),
        "bind": bind_of(fleet),
    }
    blocks = {
        "global": global_lines(fleet),
        "errors": [error_line(status) for status in ERRORS],
        "client": client_lines(fleet),
        "copies": copies_lines(fleet),
        "balance_factor": factor_lines(fleet),
        "nodes": node_lines(fleet),
        "others": [*resolver_lines(fleet), *stats_lines(fleet)],
    }
    return fill(TEMPLATE.read_text(), single, {name: list(each) for name, each in blocks.items()})


def fill(text: str, single: Mapping[str, str], blocks: Mapping[str, list[str]]) -> str:
    """Replace `$name`: within a line by a text, alone in a line by any number of lines."""
    lines: list[str] = []
    for line in text.splitlines():
        name = line.strip().removeprefix("$")
        if name in blocks and line.strip().startswith("$"):
            indent = line.partition("$")[0]
            lines += [f"{indent}{each}".rstrip() for each in blocks[name]]
        else:
            lines.append(Template(line).safe_substitute(single))
    return "\n".join(lines).strip() + "\n"


def time_of(seconds: float) -> str:
    """Milliseconds, unless they are whole seconds."""
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.0f}ms"


def quoted(path: Path) -> str:
    return f"'{path.absolute()}'"


def bind_of(fleet: Fleet) -> str:
    where = str(fleet.bind)
    if fleet.tls_cert:
        where += f" ssl crt {quoted(fleet.tls_cert)} alpn h2,http/1.1"
    return where


def global_lines(fleet: Fleet) -> Iterator[str]:
    if fleet.user:
        yield f"user {fleet.user}"
        yield f"group {fleet.user}"
        yield from since("3.4", "chroot auto")
    if fleet.threads:
        yield f"nbthread {fleet.threads}"
    if fleet.stats_socket:
        yield f"stats socket {quoted(fleet.stats_socket)} mode 600 level admin"


def error_line(status: int) -> str:
    """An error of the balancer itself, as nodes would tell it, and for V2 too."""
    description, detail = ERRORS[status]
    document = {
        "code": status,
        "message": "Client Error" if status < 500 else "Server Error",
        "description": description,
        "detail": detail,
        "error": detail,
    }
    line = f"http-error status {status} content-type application/json string '{quotable(document)}'"
    return f"{line} hdr Retry-After {RETRY_AFTER_S}" if status == 503 else line


def quotable(document: Mapping[str, object]) -> str:
    """JSON that may stand within single quotes."""
    return json.dumps(document, separators=(",", ":")).replace("'", "\\u0027")


def client_lines(fleet: Fleet) -> Iterator[str]:
    """What nodes are told of clients, if they trust the balancer."""
    yield "option forwardfor"
    if fleet.tls_cert:
        yield "http-request set-header X-Forwarded-Proto https"


def copies_lines(fleet: Fleet) -> Iterator[str]:
    """Choose one of the copies of a hot model; the first has the place of a model without any."""
    if fleet.copies_file:
        file = fleet.copies_file.absolute()
        yield f"http-request set-var(txn.copies) 'var(txn.model),map_str_int({file},1)'"
    for name, count in fleet.copies.items():
        yield (
            f"http-request set-var(txn.copies) int({count}) "
            f"if {{ var(txn.model) -m str -- '{key_of(name)}' }}"
        )
    if fleet.copies_file or fleet.copies:
        is_hot = "if { var(txn.copies) -m int gt 1 }"
        yield f"http-request set-var(txn.copy) rand(65536),mod(txn.copies) {is_hot}"
        yield (
            "http-request set-var(txn.model) var(txn.model),concat(:,txn.copy) "
            "if { var(txn.copy) -m int gt 0 }"
        )


def factor_lines(fleet: Fleet) -> Iterator[str]:
    if fleet.balance_factor:
        yield f"hash-balance-factor {fleet.balance_factor}"


def node_lines(fleet: Fleet) -> Iterator[str]:
    if fleet.node_ca:
        yield from since("3.3", "default-server no-sni-auto")
    if fleet.dns:
        yield from dns_lines(fleet)
        return
    for slot in range(1, max(fleet.slots, len(fleet.nodes)) + 1):
        node = fleet.nodes[slot - 1] if slot <= len(fleet.nodes) else None
        if node is None:
            yield f"server n{slot} 127.0.0.1:1 id {slot} disabled{tls_of(fleet, '')}"
            continue
        follows = "" if is_ip_address(node.host) else " resolvers dns init-addr last,libc,none"
        yield f"server n{slot} {node} id {slot}{follows}{tls_of(fleet, node.host)}"


def dns_lines(fleet: Fleet) -> Iterator[str]:
    """Slots for the addresses of a name.

    Without `hash-key`, a node's place on the ring is that of its slot, and slots are filled in the
    order of DNS, which is another one in another balancer, or after a restart.
    """
    yield from since("3.0", "default-server hash-key addr-port")
    tls = tls_of(fleet, "")
    yield (
        f"server-template n 1-{fleet.slots or DNS_SLOTS} {fleet.dns} resolvers dns "
        f"init-addr none{tls}"
    )


def since(version: str, line: str) -> Iterator[str]:
    """A line that older versions do not know."""
    yield f".if version_atleast({version})"
    yield line
    yield ".endif"


def tls_of(fleet: Fleet, host: str) -> str:
    """How a node is spoken to; a name is checked in its certificate, an address is not.

    Left alone, HAProxy from 3.3 on expects the name that the client asked for.
    """
    if fleet.node_ca is None:
        return ""
    named = "" if not host or is_ip_address(host) else f" sni str({host}) verifyhost {host}"
    return f" ssl verify required ca-file {quoted(fleet.node_ca)}{named}"


def resolver_lines(fleet: Fleet) -> Iterator[str]:
    named = [each for each in fleet.nodes if each and not is_ip_address(each.host)]
    if not fleet.dns and not named:
        return
    yield "resolvers dns"
    yield "    parse-resolv-conf"
    yield "    accepted_payload_size 8192"
    yield "    hold valid 1s"
    yield "    hold obsolete 5s"
    yield ""


def stats_lines(fleet: Fleet) -> Iterator[str]:
    if fleet.stats is None:
        return
    yield "frontend stats"
    yield f"    bind {fleet.stats}"
    yield "    http-request use-service prometheus-exporter if { path /metrics }"
    yield "    stats enable"
    yield "    stats uri /"
