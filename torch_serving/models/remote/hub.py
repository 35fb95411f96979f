"""Repositories of the Hugging Face Hub, by its HTTP interface: no package is needed for it."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from torch_serving.models.remote.source import Entry, Missing, Opened, Refused, listed_anew
from torch_serving.models.remote.urls import RemoteUrl
from torch_serving.models.remote.web import Web

ENDPOINT = "https://huggingface.co"


class HubSource:
    """A folder of a repository at a revision, with the token of HF_TOKEN or of a login."""

    def __init__(self, url: RemoteUrl, timeout_s: float) -> None:
        repository, _, revision = url.host.rpartition("@")
        endpoint = os.environ.get("HF_ENDPOINT", ENDPOINT).rstrip("/")
        folder = f"{url.path}/" if url.path else ""
        token = token_of_environment()
        self._web = Web(timeout_s, f"Bearer {token}" if token else "")
        self._folder = folder
        tree = f"{endpoint}/api/models/{repository}/tree/{revision}/{quote(url.path)}"
        self._tree = f"{tree.rstrip('/')}?recursive=true"
        self._files = f"{endpoint}/{repository}/resolve/{revision}/{quote(folder)}"

    def entries(self) -> Iterator[Entry]:
        url = self._tree
        while url:
            try:
                data, headers = self._web.read(url)
            except Missing:
                raise Refused("there is no such repository, revision or folder") from None
            try:
                yield from (entry_of(each, self._folder) for each in files(json.loads(data)))
            except (ValueError, KeyError, TypeError):
                raise Refused("its list can't be read") from None
            match = re.search(r'<([^>]+)>;\s*rel="next"', headers.get("Link", ""))
            url = match[1] if match else ""

    def newest(self, entry: Entry) -> Entry:
        return listed_anew(self, entry)

    def open(self, entry: Entry, offset: int) -> Opened:
        return self._web.open(self._files + quote(entry.name), entry, offset)


def files(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (each for each in listed if each["type"] == "file")


def entry_of(listed: dict[str, Any], folder: str) -> Entry:
    """Large files have a SHA-256; the version of small ones is that of git."""
    large = listed.get("lfs") or {}
    sha256 = str(large.get("oid", "")).removeprefix("sha256:")
    size = large.get("size", listed["size"])
    return Entry(listed["path"].removeprefix(folder), sha256 or listed["oid"], size, sha256)


def token_of_environment() -> str:
    """The token of HF_TOKEN, or of the file that a login writes."""
    if token := os.environ.get("HF_TOKEN"):
        return token.strip()
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    try:
        return Path(os.environ.get("HF_TOKEN_PATH") or Path(home, "token")).read_text().strip()
    except OSError:
        return ""
