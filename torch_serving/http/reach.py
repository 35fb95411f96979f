"""From where a server can be reached, and what that means for its page."""

import ipaddress

from torch_serving.config import Config

LOCAL_HOSTS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}  # of all addresses


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reachable(url: str) -> str:
    """Return a server's URL for clients on its machine: no client connects to all addresses."""
    for any_host, host in LOCAL_HOSTS.items():
        url = url.replace(f"//{any_host}:", f"//{host}:")
    return url


def serves_console(config: Config) -> bool:
    """Whether there is a console; by itself only where not everybody who reaches it may use it."""
    if config.server != "uvicorn" or config.console == "off":
        return False
    is_guarded = bool(config.uds or config.api_key_file) or is_loopback(config.host)
    return config.console == "on" or is_guarded
