"""Buckets of S3, Google Cloud Storage and Azure, by obstore.

It is imported by the first use: its threads would not survive the fork of the workers.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from torch_serving.errors import StartupError
from torch_serving.models.remote.source import (
    Changed,
    Entry,
    Missing,
    Opened,
    Refused,
    RemoteError,
    Unreachable,
)
from torch_serving.models.remote.urls import RemoteUrl

CHUNK_BYTES = 4 << 10  # what comes less at a time is lost when it is cut
RANGE_BYTES = 16 << 20  # of one request: each is within the timeout, and begins where one was cut
MISSING = 'obstore is not installed here; pip install "torch-serving[remote]"'

# words in the error of a store -> what is said of them
REFUSALS = {
    "NoSuchBucket": "there is no such bucket",
    "ContainerNotFound": "there is no such container",
    "InvalidAccessKeyId": "the credentials are not known there",
    "SignatureDoesNotMatch": "the credentials are not accepted",
    "ExpiredToken": "the credentials have expired",
    "Account must be specified": "AZURE_STORAGE_ACCOUNT_NAME is not set",
    "169.254.169.254": "there are no credentials",
    "403 Forbidden": "access is denied",
    "401 Unauthorized": "the credentials are not accepted",
    "301 Moved": "the bucket is in another region; set AWS_REGION",
}


class ObjectSource:
    """The objects below a prefix of a bucket."""

    def __init__(self, url: RemoteUrl, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s

    @cached_property
    def _store(self) -> Any:
        try:
            from obstore import store
        except ImportError:
            raise StartupError(MISSING) from None
        make = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
        timeout = f"{max(1, round(self._timeout_s))}s"
        options = {"timeout": timeout, "connect_timeout": timeout, "allow_http": True}
        return make[self._url.scheme](
            self._url.host,
            prefix=self._url.path or None,
            client_options=options,
            retry_config={"max_retries": 0},  # `fetch` tries again, and goes on where it was cut
        )

    def entries(self) -> Iterator[Entry]:
        with translated():
            for page in self._store.list():
                yield from map(entry_of, page)

    def newest(self, entry: Entry) -> Entry:
        with translated():
            return entry_of(self._store.head(entry.name))

    def open(self, entry: Entry, offset: int) -> Opened:
        if entry.size is None:
            raise Missing("it has no size")
        return Opened(offset, entry.size, self._ranges(entry, offset, entry.size))

    def _ranges(self, entry: Entry, offset: int, size: int) -> Iterator[bytes]:
        while offset < size:
            end = min(offset + RANGE_BYTES, size)
            with translated():
                options = {"if_match": entry.version} if entry.version.startswith('"') else {}
                found = self._store.get(entry.name, options={**options, "range": (offset, end)})
                if found.meta["size"] != size or is_other(entry, found.meta):
                    raise Changed("it has changed")
                for chunk in found.stream(CHUNK_BYTES):
                    offset += len(chunk)
                    yield bytes(chunk)
                if offset < end:
                    raise Unreachable("the connection was cut")


def entry_of(meta: Any) -> Entry:
    """Its ETag tells versions apart; where there is none, its time and size."""
    return Entry(meta["path"], etag_of(meta) or time_of(meta), meta["size"])


def etag_of(meta: Any) -> str:
    """The ETag in quotation marks, which lists of some stores leave out."""
    etag = meta["e_tag"] or ""
    return etag if not etag or etag.startswith(("W/", '"')) else f'"{etag}"'


def time_of(meta: Any) -> str:
    """Lists tell it with more digits than headers do."""
    return f"{int(meta['last_modified'].timestamp())} {meta['size']}"


def is_other(entry: Entry, meta: Any) -> bool:
    """Whether an answer is of another version, by what both tell."""
    if entry.version.startswith(("W/", '"')):
        return bool(meta["e_tag"]) and etag_of(meta) != entry.version
    return time_of(meta) != entry.version


@contextmanager
def translated() -> Iterator[None]:
    """Raise RemoteErrors in place of those of obstore, whose texts may hold signed addresses."""
    try:
        yield
    except (RemoteError, StartupError, GeneratorExit):
        raise
    except BaseException as error:  # its panics are no Exceptions
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise meaning_of(error) from None


def meaning_of(error: BaseException) -> RemoteError:
    text = str(error)
    for words, message in REFUSALS.items():
        if words in text:
            return Refused(message)
    kind = type(error).__name__
    if kind == "InvalidPathError":
        key = re.search(r'Path "([^"]{1,200})', text)
        return Refused(f"{key[1] if key else 'a key'!r} is no plain path; rename or remove it")
    if kind in ("NotFoundError", "FileNotFoundError"):
        return Missing("it is not there any more")
    if kind == "PreconditionError":
        return Changed("it has changed")
    if kind in ("PermissionDeniedError", "UnauthenticatedError"):
        return Refused("access is denied")
    if "429" in text or "SlowDown" in text:
        return Unreachable("the store asks for a pause")
    if "TimedOut" in text or "timed out" in text:
        return Unreachable("no answer within --remote-timeout")
    if "error sending request" in text:
        return Unreachable("there is no connection")
    status = re.search(r"status code: (\d{3})", text)
    return Unreachable(f"status {status[1]}" if status else "the connection was cut")
