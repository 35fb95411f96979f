"""Files of an HTTPS server, with a manifest or an index of JSON as the list of what is there."""

import base64
import hashlib
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from typing import IO, Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from torch_serving.models.file_names import MANIFEST
from torch_serving.models.remote.source import (
    Changed,
    Entry,
    Missing,
    Opened,
    Refused,
    RemoteError,
    Unreachable,
    listed_anew,
)
from torch_serving.models.remote.urls import RemoteUrl

CHUNK_BYTES = 1 << 20
MAX_INDEX_BYTES = 64 << 20
MESSAGES = {
    401: "the credentials are not accepted",
    403: "access is denied",
    404: "it is not there",
    410: "it is not there any more",
}
PASSING = (408, 425, 429)  # and all of 5xx


class SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from HTTPS to HTTP; credentials go to the same host only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
        headers: Message, newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise urllib.error.HTTPError(newurl, 403, "a redirect to HTTP", headers, fp)
        new = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if new is not None and urlsplit(newurl).netloc == urlsplit(req.full_url).netloc:
            new.unredirected_hdrs.update(req.unredirected_hdrs)
        return new


class Web:
    """Requests of one root, with its credentials and timeout."""

    def __init__(self, timeout_s: float, authorization: str = "") -> None:
        self._timeout_s = timeout_s
        self._authorization = authorization
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(), urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(), SafeRedirects(),
            urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler(),
        ):  # fmt: skip
            self._opener.add_handler(handler)

    def request(self, url: str, method: str = "GET", headers: dict[str, str] | None = None) -> Any:
        """Return an answer with status 2xx. Raises RemoteError."""
        sent = {"Accept-Encoding": "identity", "User-Agent": "torch-serving", **(headers or {})}
        request = urllib.request.Request(url, headers=sent, method=method)
        if self._authorization:
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            response = self._opener.open(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as error:
            raise meaning_of(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(unreachable(error)) from None
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            raise Refused("it comes compressed, which was not asked for")
        return response

    def read(self, url: str) -> tuple[bytes, Any]:
        """Read a small file whole; return it with the headers."""
        with self.request(url) as response:
            data = b"".join(chunks_of(response, None))
            return data, response.headers

    def open(self, url: str, entry: Entry, offset: int, if_range: str = "") -> Opened:
        """Open a file from an offset on, or from its start where it can't be resumed."""
        headers = {}
        if offset and (if_range or entry.sha256):  # a checksum tells in the end
            headers = {"Range": f"bytes={offset}-"}
            headers |= {"If-Range": if_range} if if_range else {}
        response = self.request(url, headers=headers)
        try:
            return opened(response, entry, offset)
        except RemoteError:
            response.close()
            raise


def opened(response: Any, entry: Entry, offset: int) -> Opened:
    """What an answer brings of a file that was asked for from an offset on."""
    length = length_of(response.headers)
    if length is None:
        raise Refused("its length is not told")
    begin = offset if response.status == 206 else 0
    if begin and not response.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
        raise Refused("another range came than was asked for")
    if entry.size not in (None, begin + length):
        raise Changed("its size has changed")
    return Opened(begin, begin + length, chunks_of(response, length), response.close)


def chunks_of(response: Any, length: int | None) -> Iterator[bytes]:
    """Read an answer to its end; close it."""
    count = 0
    with response:
        while True:
            try:
                chunk = response.read1(CHUNK_BYTES)  # what has come: more may never do
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(unreachable(error)) from None
            count += len(chunk)
            if not chunk:
                break
            if length is None and count > MAX_INDEX_BYTES:
                raise Refused(f"its list has more than {MAX_INDEX_BYTES >> 20} MiB")
            yield chunk
    if length is not None and count != length:
        raise Unreachable("the connection was cut")


def meaning_of(error: urllib.error.HTTPError) -> RemoteError:
    error.close()
    if error.code in (404, 410):
        return Missing(MESSAGES[error.code])
    if error.code == 416:
        return Changed("it has become shorter")
    if error.code in PASSING or error.code >= 500:
        after = error.headers.get("Retry-After", "")
        return Unreachable(f"status {error.code}", float(after) if after.isdecimal() else 0.0)
    return Refused(MESSAGES.get(error.code, f"status {error.code}"))


def unreachable(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "no answer within --remote-timeout"
    if isinstance(reason, ConnectionRefusedError):
        return "the connection is refused"
    if type(reason).__name__ == "SSLCertVerificationError":
        return "the certificate is not trusted"
    if type(reason).__name__ == "gaierror":
        return "the name of the host is not known"
    return "the connection was cut"


class WebSource:
    """A folder of a server. Its list is `models.sha256`, or the JSON file that the URL names."""

    def __init__(self, url: RemoteUrl, timeout_s: float) -> None:
        parts = urlsplit(url.text)
        user, at, host = parts.netloc.rpartition("@")
        basic = base64.b64encode(unquote(user).encode()).decode()
        self._web = Web(timeout_s, f"Basic {basic}" if at else "")
        self._query = f"?{parts.query}" if parts.query else ""
        base = f"{parts.scheme}://{host}{parts.path}"
        self._is_json = base.endswith(".json")
        named = self._is_json or base.endswith(".sha256")
        self._list_url = base if named else f"{base.rstrip('/')}/{MANIFEST}"
        self._base = urljoin(self._list_url, ".")

    def entries(self) -> Iterator[Entry]:
        try:
            data, _ = self._web.read(self._list_url + self._query)
        except Missing:
            raise Refused(f"there is no list: {self._list_url.rpartition('/')[2]}") from None
        try:
            if self._is_json:
                yield from json_entries(data)
                return
            yield Entry(MANIFEST, hashlib.sha256(data).hexdigest(), len(data))
            yield from manifest_entries(data.decode())
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Refused("its list can't be read") from None

    def newest(self, entry: Entry) -> Entry:
        if entry.version:
            return listed_anew(self, entry)
        with self._web.request(self._url_of(entry.name), "HEAD") as response:
            headers = response.headers
            return Entry(entry.name, version_of(headers), length_of(headers))

    def open(self, entry: Entry, offset: int) -> Opened:
        url = self._url_of(entry.name)
        # a version that is no ETag can't be asked for: its checksum is compared at the end
        is_etag = entry.version.startswith('"')
        return self._web.open(url, entry, offset, entry.version if is_etag else "")

    def _url_of(self, name: str) -> str:
        if name == MANIFEST and not self._is_json:
            return self._list_url + self._query
        return self._base + quote(name) + self._query


def manifest_entries(text: str) -> Iterator[Entry]:
    """The lines of `sha256sum`: the checksum of each file is its version."""
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](?:\./)?(.+)", line)
        if match:
            yield Entry(match[2], match[1].lower(), None, match[1].lower())


def json_entries(data: bytes) -> Iterator[Entry]:
    """A list of names, or of objects with `name`, and perhaps `size`, `sha256` and `version`."""
    document = json.loads(data)
    for each in document["files"] if isinstance(document, dict) else document:
        if isinstance(each, str):
            yield Entry(each, "")
        else:
            sha256, size = str(each.get("sha256") or "").lower(), each.get("size")
            if not (sha256 == "" or re.fullmatch("[0-9a-f]{64}", sha256)):
                raise ValueError("sha256")
            if not (size is None or (type(size) is int and size >= 0)):
                raise ValueError("size")
            yield Entry(str(each["name"]), str(each.get("version") or "") or sha256, size, sha256)


def version_of(headers: Any) -> str:
    """A strong ETag, or the time of the last change with the size."""
    etag = headers.get("ETag", "")
    if etag.startswith('"'):
        return str(etag)
    return f"{etag} {headers.get('Last-Modified', '')} {headers.get('Content-Length', '')}"


def length_of(headers: Any) -> int | None:
    length = headers.get("Content-Length", "")
    return int(length) if re.fullmatch("[0-9]+", length) else None
