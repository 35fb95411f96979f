"""Log records as one JSON object a line."""

import json
import logging
import time


class JsonFormatter(logging.Formatter):
    """The same keys as in the lines of the access log, where there are the same facts."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.created)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)
