"""Latencies in a HdrHistogram: all percentiles to three digits, in microseconds."""

import zlib
from collections import Counter
from collections.abc import Iterable

from torch_serving.errors import StartupError

MOST_US = 3_600_000_000  # an hour
DIGITS = 3

try:
    from hdrh.codec import HdrCookieException, HdrLengthException
    from hdrh.histogram import HdrHistogram
except ModuleNotFoundError:
    raise StartupError(
        "bench needs the extra `measure`: pip install 'torch-serving[measure]'"
    ) from None


class Latencies:
    """How long requests took, in ms."""

    def __init__(self, histogram: HdrHistogram | None = None) -> None:
        self._histogram = histogram or HdrHistogram(1, MOST_US, DIGITS)

    @classmethod
    def of(cls, latencies_s: Iterable[float]) -> "Latencies":
        """Record many at once: equal ones are counted first."""
        return cls.counted(Counter(int(each * 1e6) for each in latencies_s))

    @classmethod
    def counted(cls, counts: dict[int, int]) -> "Latencies":
        """Record microseconds, each with how often it was."""
        found = cls()
        for microseconds, count in counts.items():
            found._histogram.record_value(min(max(microseconds, 1), MOST_US), count)
        return found

    @classmethod
    def decoded(cls, text: str) -> "Latencies":
        """Read what `encoded` wrote. Raises TypeError or ValueError."""
        try:
            return cls(HdrHistogram.decode(text))
        except (HdrCookieException, HdrLengthException, zlib.error):
            raise ValueError("no histogram") from None

    def encoded(self) -> str:
        """The histogram in the format that all libraries of HdrHistogram read."""
        text: bytes = self._histogram.encode()
        return text.decode()

    @property
    def count(self) -> int:
        return int(self._histogram.get_total_count())

    @property
    def mean_ms(self) -> float:
        return self._histogram.get_mean_value() / 1e3 if self.count else 0.0

    @property
    def max_ms(self) -> float:
        return self._histogram.get_max_value() / 1e3 if self.count else 0.0

    def percentile_ms(self, percentile: float) -> float:
        return self._histogram.get_value_at_percentile(percentile) / 1e3 if self.count else 0.0

    def slower_than(self, ms: float) -> int:
        """How many took longer."""
        return sum(
            step.count_added_in_this_iter_step
            for step in self._histogram.get_recorded_iterator()
            if step.value_iterated_to > ms * 1e3
        )
