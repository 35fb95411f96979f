"""URLs of remote model roots: what they name, and how they are shown without secrets."""

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from torch_serving.errors import StartupError

STORES = ("s3", "gs", "az")
SCHEMES = (*STORES, "hf", "https", "http")
EXAMPLES = "s3://bucket/folder, gs://…, az://…, hf://organisation/repository@revision or https://…"


class RemoteUrl(NamedTuple):
    """A remote root. `host` is a bucket, a container, a repository of the hub, or a server.

    `path` is the folder in it, without slashes at its ends; `text` the URL as it was given.
    """

    scheme: str
    host: str
    path: str
    text: str

    @property
    def shown(self) -> str:
        """The URL for people: without user, password and query."""
        return (
            re.sub(r"//[^/]*@", "//", re.split("[?#]", self.text)[0]).rstrip("/")
            if self.is_web
            else self.text
        )

    @property
    def is_web(self) -> bool:
        return self.scheme in ("https", "http")

    @property
    def folder_name(self) -> str:
        """A name for the folder with its copies, which no other root has."""
        digest = hashlib.sha256(self.shown.encode()).hexdigest()[:12]
        return f"{re.sub('[^A-Za-z0-9.-]+', '-', self.shown)[:60].strip('-.')}-{digest}"


def parse(text: str) -> RemoteUrl:
    """Read a URL. Raises StartupError for one that names no root."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise StartupError(f"MODEL_ROOT: expected a URL as {EXAMPLES}") from None
    scheme, host, path = parts.scheme.lower(), parts.netloc, unquote(parts.path).strip("/")
    if scheme not in SCHEMES:
        raise StartupError(f"MODEL_ROOT: {scheme}:// is not known; expected as {EXAMPLES}")
    if {".", "..", ""} & set(path.split("/")) and path:
        raise StartupError(f"MODEL_ROOT: expected a plain path, as in {EXAMPLES}")
    if scheme == "hf":
        return _hub_url(text, host, path)
    if not host or (scheme in STORES and ("@" in host or parts.query)):
        raise StartupError(f"MODEL_ROOT: expected as {EXAMPLES}, without user and query")
    return RemoteUrl(scheme, host, path, text.rstrip("/"))


def _hub_url(text: str, host: str, path: str) -> RemoteUrl:
    """Read `hf://organisation/repository@revision/folder`; the host is `repository@revision`."""
    match = re.fullmatch(r"([\w.-]+)(?:@([\w.-]+))?(?:/(.+))?", path)
    if not match or not re.fullmatch(r"[\w.-]+", host):
        raise StartupError(f"MODEL_ROOT: expected as {EXAMPLES}")
    repository = f"{host}/{match[1]}@{match[2] or 'main'}"
    return RemoteUrl("hf", repository, match[3] or "", text.rstrip("/"))


def shown(root: Path | str) -> str:
    """A model root for people."""
    return parse(root).shown if isinstance(root, str) else str(root)


def default_cache() -> Path:
    """Where copies lie if nothing else is said."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "torch-serving"
