"""A bucket of S3 and a web server in one, with faults that a test decides.

It knows what obstore asks of S3: lists in pages, heads, and ranges of one version.
"""

import functools
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 400  # keys
DRIP = 8192  # bytes
NAME = "bucket"
FAILED = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>secret-signature</Message></Error>"


class Bucket:
    """What is in it, what was asked for, and what goes wrong.

    `faults` has for a key what happens to the next requests for it: a status, `cut`, `drip`,
    `long`, `gzip`, `range`, a function that is called before the answer, or None for nothing.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[object]] = {}
        self.requests: list[tuple[str, str]] = []
        self.has_etags = True
        self.modified = "Thu, 01 Jan 2026 00:00:00 GMT"
        self.code = b"AccessDenied"  # of a status that is a fault
        self.port = 0
        self.is_open = threading.Event()
        self.is_open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client of S3 needs to know."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key-id",
            "AWS_SECRET_ACCESS_KEY": "secret-key",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def gets(self, key: str) -> int:
        """How often the contents of a key were asked for."""
        return self.requests.count(("GET", key))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.respond()

    def do_GET(self) -> None:
        self.respond()

    def respond(self) -> None:
        bucket = self.bucket
        url = urlsplit(self.path)
        path = unquote(url.path).lstrip("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if "list-type" in query:
            key, answer = "", lambda: self.list(path.split("/")[0], query)
        else:
            key = path.removeprefix(f"{NAME}/")
            answer = lambda: self.send_file(key, fault)  # noqa: E731
        bucket.requests.append((self.command, key))
        bucket.is_open.wait(60)
        faults = bucket.faults.get(key, [])
        fault = faults.pop(0) if faults else None
        if callable(fault):
            fault()
        if isinstance(fault, int):
            self.send(fault, FAILED % bucket.code, {"Retry-After": "0"})
        else:
            answer()

    def list(self, name: str, query: dict[str, str]) -> None:
        if name != NAME:
            self.send(404, FAILED % b"NoSuchBucket")
            return
        keys = sorted(k for k in self.bucket.files if k.startswith(query.get("prefix", "")))
        start = int(query.get("continuation-token", 0))
        page, rest = keys[start : start + PAGE], keys[start + PAGE :]
        token = f"<NextContinuationToken>{start + PAGE}</NextContinuationToken>" if rest else ""
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.bucket.files[key])}</Size>"
            f"<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"{self.listed_etag(key)}</Contents>"
            for key in page
        )
        truncated = str(bool(rest)).lower()
        self.send(
            200,
            f"<?xml version='1.0'?><ListBucketResult><Name>{NAME}</Name><KeyCount>{len(page)}"
            f"</KeyCount><IsTruncated>{truncated}</IsTruncated>{token}{contents}"
            "</ListBucketResult>".encode(),
        )

    def listed_etag(self, key: str) -> str:
        found = escape(etag(self.bucket.files[key]))
        return f"<ETag>{found}</ETag>" if self.bucket.has_etags else ""

    def send_file(self, key: str, fault: object) -> None:
        data = self.bucket.files.get(key)
        if data is None:
            self.send(404, FAILED % b"NoSuchKey")
            return
        if (wanted := self.headers.get("If-Match")) and wanted != etag(data):
            self.send(412, b"")
            return
        headers = {"ETag": etag(data)} if self.bucket.has_etags else {}
        headers["Last-Modified"] = self.bucket.modified
        if fault == "gzip":
            headers["Content-Encoding"] = "gzip"
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found and self.headers.get("If-Range", etag(data)) == etag(data):
            begin, end = int(found[1]), min(int(found[2] or len(data)) + 1, len(data))
            if begin >= len(data):
                self.send(416, b"")
                return
            first = 0 if fault == "range" else begin
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(data)}"
            self.send(206, data[begin:end], headers, fault)
        else:
            self.send(200, data, headers, fault)

    def send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, fault: object = None
    ) -> None:
        length = len(body) + (7 if fault == "long" else 0)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "GET":
            come = {"cut": len(body) // 2, "drip": DRIP}.get(str(fault), len(body))
            self.wfile.write(body[:come])
        if fault in ("cut", "drip", "long"):
            self.close_connection = True


@functools.lru_cache(10_000)
def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        pass  # clients that go away


@contextmanager
def serve_bucket(port: int = 0) -> Iterator[Bucket]:
    """Serve an empty bucket from a thread."""
    bucket = Bucket()
    handler: Callable[..., Handler] = type("BucketHandler", (Handler,), {"bucket": bucket})
    with Server(("127.0.0.1", port), handler) as server:
        bucket.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield bucket
        finally:
            bucket.is_open.set()
            server.shutdown()
            thread.join()
