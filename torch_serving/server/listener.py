"""The listening socket. It imports no torch, so that a port in use is reported at once."""

import errno
import socket
from contextlib import AbstractContextManager, nullcontext

from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.server.unix_listener import unix_listener


def bound(config: Config) -> AbstractContextManager[socket.socket]:
    """Return the socket of a server; at the end, the file of a Unix socket is removed.

    Raises StartupError.
    """
    if config.uds:
        return unix_listener(config.uds)
    return nullcontext(bind(config.host, config.port))


def bind(host: str, port: int) -> socket.socket:
    """Bind a TCP socket. Raises StartupError if the address is unknown or in use."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        advice = advice_on(error)
        where = f"{host}:{port}" if port else host
        raise StartupError(f"can't listen on {where}: {reason}; {advice}") from None
    return listener


def advice_on(error: Exception) -> str:
    """Say which flag changes an address that can't be listened on."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return "--port takes another one, --port 0 a free one"
    if number in (errno.EACCES, errno.EPERM):
        return "--port takes another one; those below 1024 need CAP_NET_BIND_SERVICE"
    return "--host takes an address of this machine"


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """Where a socket listens; of a Unix socket, `unix:` and its path."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
