"""What one load measured."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from torch_serving.bench.generator import Generated, generate
from torch_serving.bench.histogram import Latencies
from torch_serving.bench.load import Load
from torch_serving.bench.noise import noise_of
from torch_serving.bench.recorder import Failure
from torch_serving.bench.server_steps import ServerSteps, StepReader
from torch_serving.bench.target import Target

WAITED = 0.05  # share of the time without a core from which figures are not to be trusted
BUSY = 0.9  # share of the time from which the generator is the limit
LATE = 0.1  # share of the mean latency from which its own lag counts
WAKE_UP_MS = 0.2  # a core that slept may take so long, whoever sends


@dataclass(frozen=True)
class Generator:
    """What sent the load, and how far it was the limit itself."""

    name: str
    cpu_share: float = 0.0  # of one core
    waited_share: float = 0.0  # of the time, for a core that something else had
    lag_mean_ms: float = 0.0  # how late its event loop was
    lag_p99_ms: float = 0.0

    @property
    def busy_share(self) -> float:
        return self.cpu_share + self.waited_share


@dataclass(frozen=True)
class Measurement:
    """Answers with 200 and their latencies; all else is in `failures`."""

    load: Load
    generator: Generator
    seconds: float  # that were measured
    answers: int  # with 200, within these seconds
    latencies: Latencies  # of requests that were due within them
    noise: dict[str, float] = field(default_factory=dict)  # shares of figures
    failures: Counter[Failure] = field(default_factory=Counter)
    unanswered: int = 0  # when the load had ended and nobody waited any longer
    backlog_peak: int = 0  # requests that waited for a connection
    is_overrun: bool = False  # the backlog was full, so the load ended early
    is_interrupted: bool = False
    steps: ServerSteps | None = None

    @property
    def rate(self) -> float:
        """Answers with 200 in a second."""
        return self.answers / self.seconds if self.seconds else 0.0

    def percentile_ms(self, percentile: float) -> float:
        return self.latencies.percentile_ms(percentile)

    @property
    def failed(self) -> int:
        return sum(self.failures.values()) + self.unanswered

    @cached_property
    def limits(self) -> list[str]:
        """Sentences on how the generator itself shaped the figures; empty: it did not."""
        found, each = [], self.generator
        if self.is_busy:
            found.append(
                f"the generator was the limit: it ran {each.cpu_share * 100:.0f} % of the time and "
                f"waited for a core {each.waited_share * 100:.0f} %"
            )
        elif each.waited_share >= WAITED:
            found.append(
                f"the generator waited for a core {each.waited_share * 100:.0f} % of the time: "
                "something else takes them, or the server all of them"
            )
        if self.latencies.count and each.lag_mean_ms > max(
            WAKE_UP_MS, LATE * self.latencies.mean_ms
        ):
            found.append(
                f"the generator was {each.lag_mean_ms:.2g} ms late on average (p99 "
                f"{each.lag_p99_ms:.2g} ms), which the latencies hold"
            )
        return found

    @property
    def is_busy(self) -> bool:
        """Whether the generator had no time left, so that the server may do more."""
        return self.generator.busy_share >= BUSY


def measure(target: Target, load: Load, generated: Generated | None = None) -> Measurement:
    """Put a load on a server, and return what it measured.

    `generated` fills meanwhile, for who shows how it goes. Raises StartupError if nothing answers.
    """
    generated = generated or Generated()
    reader = StepReader(target)
    generate(target, load, generated, reader.read)
    recorder = generated.recorder
    return Measurement(
        load=load,
        generator=generator_of(generated),
        seconds=generated.usage.wall_s,
        answers=recorder.answers,
        latencies=Latencies.of(recorder.latencies_s),
        noise=noise_of(generated.marks, recorder.latencies_s),
        failures=recorder.failures,
        unanswered=recorder.unanswered,
        backlog_peak=generated.backlog_peak,
        is_overrun=generated.is_overrun,
        is_interrupted=generated.is_interrupted,
        steps=reader.steps(),
    )


def generator_of(generated: Generated) -> Generator:
    wall_s, cpu_s, waited_s = generated.usage
    lags = sorted(generated.lags_s)
    if not lags or not wall_s:
        return Generator("own")
    return Generator(
        "own",
        cpu_share=cpu_s / wall_s,
        waited_share=waited_s / wall_s,
        lag_mean_ms=sum(lags) / len(lags) * 1e3,
        lag_p99_ms=lags[int(len(lags) * 0.99)] * 1e3,
    )
