"""From where a server can be reached, and what that means for its page."""

import ipaddress

from torch_serving.config import Config


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serves_console(config: Config) -> bool:
    """Whether there is a console; by itself only where not everybody who reaches it may use it."""
    if config.server != "uvicorn" or config.console == "off":
        return False
    is_guarded = bool(config.uds or config.api_key_file) or is_loopback(config.host)
    return config.console == "on" or is_guarded
