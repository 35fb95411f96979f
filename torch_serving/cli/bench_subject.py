"""What `bench` measures: a file on a server of its own, a model elsewhere, or a URL."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from torch_serving.api_keys import read_keys
from torch_serving.bench.address import Address
from torch_serving.bench.requests import Request
from torch_serving.bench.target import Target
from torch_serving.cli.bench_flags import read_body
from torch_serving.cli.near_path import check_file
from torch_serving.cli.settings import read_settings
from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.http.reach import reachable

KEY = "TORCH_SERVING_API_KEY"
LOCAL = "http://localhost"
SERVE = re.compile(r"(.*)/serve")
INFER = re.compile(r"(.*)/v2/models/(.+?)(?:/versions/[^/]+)?/infer")
DESCRIPTION = re.compile(r"(.*)/models/(.+)")
SHOWN = 5  # names of models


class UrlParts(NamedTuple):
    """What a URL tells: `prefix` is the path of a proxy, `path` the one of the request."""

    prefix: str
    model: str = ""
    method: str = "forward"
    form: str = "json"
    path: str = ""


@dataclass(frozen=True)
class Subject:
    """Where the model is; `server` are the arguments of a server to start."""

    address: Address
    request: Request
    path: str = ""  # of the request, where a URL told it
    server: Sequence[str] | None = None

    def target(self) -> Target:
        """Ask the server what to send. Raises StartupError."""
        request, address = self.request, self.address
        if not request.model and self.path:  # whatever it is
            body = request.body or b""
            headers = {"Content-Type": "application/json"}
            return Target(address, self.path, body, headers, origin="from a file")
        if not request.model:
            request = replace(request, model=only_model(address))
        target = request.target_at(address)
        return replace(target, path=self.path) if self.path else target


def subject_of(arguments: argparse.Namespace, server_flags: Sequence[str]) -> Subject:
    """Find out what is meant. Raises StartupError."""
    model: str = arguments.model
    is_url = "://" in model or model.startswith("unix:")
    if is_url and arguments.url:
        raise StartupError("give one URL: in place of MODEL, or as --url with the name of a model")
    if not (is_url or arguments.url or arguments.uds):
        return subject_of_file(arguments, server_flags)
    if server_flags:
        raise StartupError("flags after -- are those of a server for a model file; leave them out")
    if is_url:
        return subject_of_url(arguments, model)
    address = address_of(arguments, arguments.url or LOCAL)
    return Subject(address, request_of(arguments, UrlParts("", model)))


def subject_of_file(arguments: argparse.Namespace, server_flags: Sequence[str]) -> Subject:
    """A server of its own on a free port, with the flags that were given for it."""
    model = Path(arguments.model)
    check_file(model, "; --url says which server has it")
    command = [str(model), *server_flags]
    settings = read_settings(command, os.environ)
    port = settings.given.get("port")
    if not settings.config.uds and not (port and port.origin == "--port" and port.value):
        command += ["--port", "0"]
        settings = read_settings(command, os.environ)
    address = address_of_config(settings.config, arguments)
    return Subject(address, request_of(arguments, UrlParts("", model.name)), server=command)


def address_of_config(config: Config, arguments: argparse.Namespace) -> Address:
    host = f"[{config.host}]" if ":" in config.host else config.host
    scheme = "https" if config.tls_cert else "http"
    url = f"{scheme}://localhost" if config.uds else reachable(f"{scheme}://{host}:{config.port}")
    key = first_key(config.api_key_file or arguments.api_key_file)
    return Address(url, config.uds, insecure=True, key=key)


def subject_of_url(arguments: argparse.Namespace, url: str) -> Subject:
    if url.startswith("unix:"):
        arguments.uds = Path(url.removeprefix("unix:"))
        url = LOCAL
    address = address_of(arguments, url)
    parts = read_url(url, arguments.body is not None)
    address = address.with_prefix(parts.prefix)
    return Subject(address, request_of(arguments, parts), parts.path)


def address_of(arguments: argparse.Namespace, url: str) -> Address:
    """Check the URL of a server. Raises StartupError."""
    parts = urlsplit(url)
    try:
        is_right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of the port
        is_right = False
    if not is_right or parts.username:
        raise StartupError(f"expected a URL as in http://127.0.0.1:8888, got {url}")
    return Address(url, arguments.uds, arguments.insecure, first_key(arguments.api_key_file))


def read_url(url: str, has_body: bool) -> UrlParts:
    """What the path of a URL names."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if match := SERVE.fullmatch(parts.path):
        query = parse_qs(parts.query)
        model = query.get("servable_identifier", [""])[0]
        if not model:
            raise StartupError(f"{url} names no model; add ?servable_identifier=NAME")
        return UrlParts(match[1], model, query.get("method", ["forward"])[0], "json", path)
    if match := INFER.fullmatch(parts.path):
        return UrlParts(match[1], unquote(match[2]), "forward", "v2", path)
    if match := DESCRIPTION.fullmatch(parts.path):
        return UrlParts(match[1], unquote(match[2]))
    if has_body and parts.path not in ("", "/"):
        return UrlParts("", path=path)
    return UrlParts(parts.path.rstrip("/"))


def request_of(arguments: argparse.Namespace, parts: UrlParts) -> Request:
    return Request(
        parts.model,
        parts.method if arguments.method == "forward" else arguments.method,
        arguments.form or parts.form,
        read_body(arguments.body),
        arguments.rows,
    )


def only_model(address: Address) -> str:
    """The name of the only model of a server. Raises StartupError."""
    response = address.get("/models")
    models = response.document().get("models")
    if response.status != 200 or not isinstance(models, list):
        raise StartupError(
            f"{address.name} answers {response.status} for /models; name a model with --url, or "
            "give the URL of a request and --body FILE"
        )
    names = [str(each["identifier"]) for each in models]
    if len(names) == 1:
        return names[0]
    shown = ", ".join([*names[:SHOWN], *(["…"] if len(names) > SHOWN else [])]) or "none"
    raise StartupError(
        f"{address.name} has {len(names)} models ({shown}); name one: "
        f"torch-serving bench NAME --url {address.url}"
    )


def first_key(path: Path | None) -> str:
    """The key to send: of a file, else of the environment. Raises StartupError."""
    return os.environ.get(KEY, "").strip() if path is None else read_keys(path)[0]
