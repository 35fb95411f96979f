"""Log records as one JSON object a line."""

import json
import logging
import os
import time
from typing import Any


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
        "time": rfc3339(created_s),
        "level": logging.getLevelName(level),
        "logger": name,
        "pid": os.getpid(),
    }


def rfc3339(created_s: float) -> str:
    """Universal time, in milliseconds."""
    whole_s, milliseconds = divmod(int(created_s * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole_s)) + f".{milliseconds:03d}Z"
