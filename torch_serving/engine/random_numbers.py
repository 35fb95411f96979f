"""Random numbers: torch has one stream of them for a whole process, and one for each card."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

Run = Callable[..., Any]


class RandomNumbers:
    """Lets runs that draw numbers overlap, and those that seed the stream run alone.

    A run that seeds always gets the same numbers. The others go on where they were: else theirs
    would come again and again. For any thread.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._drawing = 0
        self._seeding = 0  # one runs, the others wait; nobody begins to draw meanwhile
        self._turn = threading.Lock()  # of those that seed

    @contextmanager
    def drawing(self) -> Iterator[None]:
        with self._condition:
            while self._seeding:
                self._condition.wait()
            self._drawing += 1
        try:
            yield
        finally:
            with self._condition:
                self._drawing -= 1
                self._condition.notify_all()

    @contextmanager
    def seeding(self) -> Iterator[None]:
        with self._condition:
            self._seeding += 1
            while self._drawing:
                self._condition.wait()
        try:
            with self._turn, kept_streams():
                yield
        finally:
            with self._condition:
                self._seeding -= 1
                self._condition.notify_all()


RANDOM_NUMBERS = RandomNumbers()  # one, as torch's streams are


@contextmanager
def kept_streams() -> Iterator[None]:
    """Set all streams back at the end."""
    state = torch.get_rng_state()
    cuda: Any = torch.cuda
    of_cards = cuda.get_rng_state_all() if cuda.is_initialized() else None
    try:
        yield
    finally:
        torch.set_rng_state(state)
        if of_cards is not None:
            cuda.set_rng_state_all(of_cards)


def with_random_numbers(run: Run, seeds: bool, numbers: RandomNumbers = RANDOM_NUMBERS) -> Run:
    """Return a function that draws random numbers, or `seeds` them."""
    entered = numbers.seeding if seeds else numbers.drawing

    def run_with_random_numbers(*arguments: Any) -> Any:
        with entered():
            return run(*arguments)

    return run_with_random_numbers
