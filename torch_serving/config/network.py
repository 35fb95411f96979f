"""Settings: where a server listens, and what it serves there."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch_serving.setting import setting

network = partial(setting, "network")


@dataclass(frozen=True)
class NetworkSettings:
    """Where a server listens, and what it serves there."""

    host: str = network("--host", "127.0.0.1", "host", "the address to listen on")
    port: int = network("-p --port", 8888, "port", "the port; 0 takes a free one")
    uds: Path | None = network(
        "--uds",
        None,
        "file",
        "listen on a Unix domain socket with this path, instead of host and port",
        more="Its mode is 660: the user and the group of the server may connect.",
    )
    root_path: str = network(
        "--root-path",
        "",
        "root_path",
        "the path below which a proxy serves this server, as in `/models`; the proxy removes it",
        default_text="none",
    )
    lifeline_fd: int | None = network(
        "--lifeline-fd",
        None,
        "natural",
        "stop as after SIGTERM once the other end of this descriptor, a pipe or socket, is closed",
        more="So a server ends with the program that started it, however that ends.",
    )
    ready_fd: int | None = network(
        "--ready-fd",
        None,
        "natural",
        "once all workers serve, write `url`, `host`, `port` and `pid` as a line of JSON to this "
        "descriptor, a pipe or socket, and close it",
    )
    server: str = network(
        "--server",
        "uvicorn",
        ("uvicorn", "meinheld"),
        "the HTTP server; meinheld serves `/serve` and `/healthcheck` only",
    )
    console: str = network(
        "--console",
        "auto",
        ("auto", "on", "off"),
        "the page at `/`; `auto`: on where only this machine, or who has a key, can use it",
        more="`--no-console` is the same as `--console off`.",
    )
    behind_proxy: bool = network(
        "--behind-proxy",
        False,
        "switch",
        "let meinheld listen beyond this machine",
        more="It crashes on a malformed chunked request, so a proxy must stand before it.",
    )
