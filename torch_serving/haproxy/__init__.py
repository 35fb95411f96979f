"""A configuration of HAProxy that sends each model to its node, bounded and with copies."""

from torch_serving.haproxy.address import Address, DnsName, read_address, read_dns_name
from torch_serving.haproxy.config import render
from torch_serving.haproxy.fleet import Fleet
from torch_serving.haproxy.names import key_of
from torch_serving.haproxy.program import binary, problems_in, version_of

__all__ = [
    "Address",
    "DnsName",
    "Fleet",
    "binary",
    "key_of",
    "problems_in",
    "read_address",
    "read_dns_name",
    "render",
    "version_of",
]
