"""Log records as lines: of text, or one JSON object each. All times are universal."""

import functools
import json
import logging
import os
import time
from typing import Any


class TextFormatter(logging.Formatter):
    """Begins as the lines of the access log do: time, level, process."""

    def format(self, record: logging.LogRecord) -> str:
        begin = (
            f"{rfc3339(int(record.created * 1000))} {record.levelname} {os.getpid()} {record.name}"
        )
        text = record.getMessage().strip()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return f"{begin}: {continued(text)}"


def continued(text: str) -> str:
    """Indent all lines but the first: a model's error must not pass for a line of the log."""
    lines = text.split("\n")
    return "\n    ".join(
        line if line.isprintable() else line.encode("unicode_escape").decode() for line in lines
    )


class JsonFormatter(logging.Formatter):
    """The same keys as in the lines of the access log, where there are the same facts."""

    def format(self, record: logging.LogRecord) -> str:
        entry = entry_of(record.levelno, record.name, record.created)
        entry["message"] = record.getMessage().strip()
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class JsonLines:
    """Makes records of one logger from lines that were printed."""

    def __init__(self, level: int, name: str) -> None:
        self._level = level
        self._name = name

    def __call__(self, line: str) -> str:
        entry = entry_of(self._level, self._name, time.time())
        return json.dumps({**entry, "message": line}) + "\n"


def entry_of(level: int, name: str, created_s: float) -> dict[str, Any]:
    """What each record has."""
    return {
        "time": rfc3339(int(created_s * 1000)),
        "level": logging.getLevelName(level),
        "logger": name,
        "pid": os.getpid(),
    }


def rfc3339(time_ms: int) -> str:
    """Universal time."""
    second, milliseconds = divmod(time_ms, 1000)
    return f"{date_and_second(second)}.{milliseconds:03d}Z"


@functools.lru_cache(maxsize=2)
def date_and_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
