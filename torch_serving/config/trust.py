"""Settings: whom a server believes and lets in."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch_serving.setting import setting

trust = partial(setting, "trust")


@dataclass(frozen=True)
class TrustSettings:
    """Whom a server believes and lets in."""

    forwarded_allow_ips: str = trust(
        "--forwarded-allow-ips",
        "127.0.0.1",
        "proxies",
        "proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: addresses and "
        "networks, with commas between them; `unix:` for those of `--uds`, `*` for all",
    )
    api_key_file: Path | None = trust(
        "--api-key-file",
        None,
        "file",
        "keys, one in each line, of which every request must have one",
        more="As `Authorization: Bearer KEY` or `X-Api-Key: KEY`.",
    )
    open_health: bool = trust(
        "--open-health", False, "switch", "`/healthcheck`, `/ready` and `/v2/health` need no key"
    )
    cors_origins: tuple[str, ...] = trust(
        "--cors-origin",
        (),
        "origin",
        "let scripts of this origin, as in `https://example.org`, or of all (`*`) send requests; "
        "may be repeated",
    )
    tls_cert: Path | None = trust(
        "--tls-cert", None, "file", "speak HTTPS with the certificate in this file"
    )
    tls_key: Path | None = trust("--tls-key", None, "file", "speak HTTPS with the key in this file")
