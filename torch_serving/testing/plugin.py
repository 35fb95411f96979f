"""A fixture of pytest: `pytest_plugins = ["torch_serving.testing.plugin"]` in `conftest.py`.

It is no entry point: a run that does not ask for it imports nothing of it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from torch_serving.testing.process import Served, server

Serve = Callable[..., Served]
RUNNING: list[Served] = []


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Start servers: `serve(folder, **flags)` as `torch_serving.testing.server` does.

    Equal calls share one server, which ends with the session.
    """
    started: dict[tuple[str, str], Served] = {}
    with ExitStack() as stack:

        def one(folder: str | os.PathLike[str], **flags: Any) -> Served:
            key = (os.path.abspath(folder), repr(sorted(flags.items())))
            if key not in started or not started[key].is_running:
                started[key] = stack.enter_context(server(folder, **flags))
                RUNNING.append(started[key])
            return started[key]

        yield one
    RUNNING.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    """Show the logs of running servers with a test that failed."""
    report = yield
    if report.failed:
        report.sections.extend((f"log of {each.url}", each.log) for each in RUNNING)
    return report
