"""Settings of a server that are worth a try on a machine, the likeliest first."""

import dataclasses
from dataclasses import dataclass

MOST_SPLITS = 7
MAX_THREADS = 8  # beyond that, a process gains little from one more
LARGE_BATCH = 128


@dataclass(frozen=True)
class Candidate:
    """What is set beside the flags that were given; None leaves the default."""

    workers: int | None = None
    threads: int | None = None
    intra_op_threads: int | None = None
    batch: str | None = None  # the name of the model
    max_batch: int | None = None

    @property
    def settings(self) -> dict[str, int | str]:
        """What is set, by the keys of a configuration file."""
        return {
            name.replace("_", "-"): value
            for name, value in dataclasses.asdict(self).items()
            if value is not None
        }

    @property
    def flags(self) -> list[str]:
        return [word for name, value in self.settings.items() for word in (f"--{name}", str(value))]

    @property
    def toml(self) -> list[str]:
        """The lines of a file for `--config`."""
        lists = {
            name: [value] if name == "batch" else value for name, value in self.settings.items()
        }
        return [f"{name} = {value!r}".replace("'", '"') for name, value in lists.items()]

    @property
    def changes(self) -> int:
        return len(self.settings)


DEFAULTS = Candidate()


def splits(cores: int) -> list[Candidate]:
    """Ways to divide the cores among workers, executor threads and threads of one operator.

    What a candidate leaves open the server divides: threads of one operator get what is left.
    """
    usual = min(cores, MAX_THREADS)
    found = [
        Candidate(workers=cores),
        Candidate(threads=1),
        Candidate(workers=cores // 2),
        Candidate(threads=cores // 2),
        Candidate(workers=2, threads=cores // 4),
        Candidate(threads=usual, intra_op_threads=1),
        Candidate(threads=2 * usual),
        Candidate(threads=1, intra_op_threads=1),
    ]
    return [each for each in dict.fromkeys(found) if is_other(each, cores, usual)][:MOST_SPLITS]


def is_other(candidate: Candidate, cores: int, usual: int) -> bool:
    """Whether a candidate is possible, and differs from what a server does by itself."""
    workers, threads, intra_op_threads = (
        candidate.workers,
        candidate.threads,
        candidate.intra_op_threads,
    )
    is_possible = (workers is None or 1 < workers <= cores) and (threads is None or threads >= 1)
    is_usual = workers is None and threads == usual
    return is_possible and not (is_usual and intra_op_threads in (None, max(1, cores // usual)))


def first_candidates(cores: int, model: str) -> list[Candidate]:
    """What is tried by itself; batches come early, as they change most."""
    first, *others = splits(cores)
    return [first, Candidate(batch=model), *others]


def batched(best: Candidate, model: str) -> list[Candidate]:
    """Batches on top of the split that was best."""
    return [dataclasses.replace(best, batch=model)]


def larger_batches(best: Candidate) -> list[Candidate]:
    """What to try where batches pay."""
    return [dataclasses.replace(best, max_batch=LARGE_BATCH)] if best.batch else []
