"""Requests of each model, as `/metrics` counts them."""

import re
from collections import Counter

LINE = re.compile(
    rb'^torch_serving_requests_total\{(?:.*,)?model="((?:[^"\\]|\\.)*)".*\} (\S+)$', re.M
)
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def requests_in(page: bytes) -> Counter[str]:
    """Return the number of requests since the start of the server, by model."""
    counts: Counter[str] = Counter()
    for name, number in LINE.findall(page):
        counts[unescaped(name.decode())] += int(float(number))
    counts.pop("", None)  # no model was found
    return counts


def unescaped(label: str) -> str:
    return re.sub(r'\\[\\"n]', lambda found: ESCAPES[found[0]], label)


class Difference:
    """What has come since the last look."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()

    def since(self, counts: Counter[str]) -> Counter[str]:
        found = counts - self._before
        self._before = counts
        return found
