"""Listing and fetching before the workers are forked, in a process of its own.

The parent must have no threads when it forks, and libraries that speak to buckets start some.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch_serving.errors import StartupError
from torch_serving.models.file_names import matching
from torch_serving.models.remote.fetch import pause
from torch_serving.models.remote.names import is_model
from torch_serving.models.remote.root import RemoteOptions, RemoteRoot
from torch_serving.models.remote.source import RemoteError, Unreachable
from torch_serving.models.remote.urls import parse

logger = logging.getLogger(__name__)

ATTEMPTS = 3
WITHOUT_THREADS = "torch_serving.models.remote.start"


def prepare(root: RemoteRoot, patterns: Iterable[str]) -> None:
    """List a root, and fetch what the patterns name.

    What is here does, if the root is away. Raises StartupError if nothing is here.
    """
    cache, *others = root.options
    request = {
        "url": root.url.text,
        "options": [str(cache) if cache else None, *others],
        "patterns": list(patterns),
    }
    answer = ask(request)
    if answer["problem"]:
        problem = f"{root.url.shown} can't be listed: {answer['problem']}"
        if not root.index.entries():
            raise StartupError(problem)
        here = sum(map(is_model, root.copies.names()))
        logger.warning("%s; %d models are here and serve", problem, here)
    for name, problem in answer["fetched"].items():
        if root.copies.version(name) is None:
            raise StartupError(f"--preload {name} can't be fetched: {problem}")
        logger.warning("%s can't be fetched, the older copy serves: %s", name, problem)


def ask(request: Mapping[str, object]) -> dict[str, Any]:
    """Have a process of its own answer, and log what it tells meanwhile."""
    answer: dict[str, Any] = {"problem": "the process that lists it has failed", "fetched": {}}
    command = [sys.executable, "-m", WITHOUT_THREADS]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        # not as an argument, which all users see
        print(json.dumps(request), file=process.stdin, flush=True)
        for line in process.stdout or ():
            said = json.loads(line)
            if "level" in said:
                logger.log(said["level"], "%s", said["text"])
            else:
                answer = said
    return answer


class RecordPipe(logging.Handler):
    """Writes log records for the process that asks."""

    def emit(self, record: logging.LogRecord) -> None:
        print(json.dumps({"level": record.levelno, "text": record.getMessage()}), flush=True)


def answer_to(request: Mapping[str, object]) -> dict[str, object]:
    """List and fetch in this process; say what went wrong."""
    cache, cache_bytes, timeout_s, refresh_s = request["options"]  # type: ignore[misc]
    options = RemoteOptions(cache and Path(cache), cache_bytes, timeout_s, refresh_s)  # type: ignore[has-type]
    root = RemoteRoot(parse(str(request["url"])), options)
    problem, fetched = problem_with_listing(root), {}
    for name in preloaded(root, request["patterns"]):  # type: ignore[arg-type]
        if refusal := problem_with_fetching(root, name):
            fetched[name] = refusal
    return {"problem": problem, "fetched": fetched}


def problem_with_listing(root: RemoteRoot, failures: int = 0) -> str:
    """List a root, again where it may answer later; say what went wrong in the end."""
    try:
        root.index.refresh()
    except Unreachable as error:
        if root.index.entries() or failures + 1 >= ATTEMPTS:  # the list is renewed while it serves
            return error.message
        pause(failures, error.retry_after_s)
    except (RemoteError, StartupError) as error:
        return error.message if isinstance(error, RemoteError) else str(error)
    else:
        return ""
    return problem_with_listing(root, failures + 1)


def problem_with_fetching(root: RemoteRoot, name: str) -> str:
    try:
        root.fetch(name)
    except RemoteError as error:
        return error.message
    return ""


def preloaded(root: RemoteRoot, patterns: list[str]) -> list[str]:
    """The models that are loaded at the start."""
    names = [name for name in root.index.entries() if is_model(name)]
    return [name for pattern in patterns for name in matching(names, pattern)]


def end_with_parent() -> None:
    """End this process when the one that asked is gone: nobody would read the answer."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    logging.basicConfig(level="INFO", handlers=[RecordPipe()])
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    print(json.dumps(answer_to(asked)), flush=True)
