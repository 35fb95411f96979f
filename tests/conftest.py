import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.browser import Browser
from tests.support.certificate import make_certificate
from tests.support.client import Client, warm_up
from tests.support.packages import Compiled, compile_once
from tests.support.process import Process
from tests.support.servables import save_broken_files, save_models
from tests.support.slow_model import body_of, turns_in
from tests.support.transports import SERVERS
from tests.support.typed_models import save_in_a_process

settings.register_profile("quick", max_examples=400, deadline=None, derandomize=True)
settings.register_profile(
    "fuzz", max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

STARTS_A_PROCESS = {"start", "start_for_module", "start_for_all"}


def pytest_configure(config: pytest.Config) -> None:
    """Hide graphics cards, but for `-m cuda`: all other tests are about the CPU."""
    if "cuda" not in config.option.markexpr:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test that starts a server or a browser, however indirectly.

    What takes half an hour in all is left out, but for `-m zoo`.
    """
    if "zoo" not in config.option.markexpr:
        items[:] = [item for item in items if item.get_closest_marker("zoo") is None]
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        if STARTS_A_PROCESS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def model_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models, whose name would show in any response that contains a path."""
    outside = tmp_path_factory.mktemp("outside")
    root = tmp_path_factory.mktemp("models of all kinds")
    save_models(root)
    save_broken_files(root, outside)
    return root


@pytest.fixture(scope="session")
def typed_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model for each type that a request can hold; for tests that only read it."""
    folder = tmp_path_factory.mktemp("typed")
    save_in_a_process(folder)
    return folder


def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Process]]:
    """Start servers: `start(*arguments, **environment)`. They are killed at the end of the test, of
    the module, or of all."""
    with ExitStack() as stack:

        def start_one(*arguments: str | Path, **environment: str) -> Process:
            folder = tmp_path_factory.mktemp("process")
            process = Process(folder, [str(argument) for argument in arguments], environment)
            stack.callback(process.end)
            return process

        yield start_one


start = pytest.fixture(servers)
start_for_module = pytest.fixture(scope="module")(servers)
start_for_all = pytest.fixture(scope="session")(servers)


@pytest.fixture(scope="session", params=SERVERS)
def server(
    request: pytest.FixtureRequest, model_root: Path, start_for_all: Callable[..., Process]
) -> Process:
    """A server for all tests that only ask, once for each HTTP server."""
    return start_for_all(
        model_root, "--port", "0", "--server", request.param, "--model-capacity", "100"
    )


@pytest.fixture
def client(server: Process, model_root: Path) -> Iterator[Client]:
    with Client(server.url, secrets=[model_root.name, "pytest-"]) as client:
        yield client


@pytest.fixture(scope="session")
def uvicorn_server(model_root: Path, start_for_all: Callable[..., Process]) -> Process:
    process = start_for_all(model_root, "--port", "0", "--model-capacity", "100", "--threads", "2")
    warm_up(process.url)
    return process


@pytest.fixture(scope="session")
def hasty_url(model_root: Path, start_for_all: Callable[..., Process]) -> str:
    """A server that waits for a second, and takes 100 KiB."""
    flags = ["--header-timeout", "1", "--body-timeout", "1", "--max-body", "100KiB"]
    process = start_for_all(model_root, "--port", "0", *flags)
    warm_up(process.url)
    return process.url


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium, whose tests are skipped where there is none."""
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def every_run_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr("torch_serving.engine.inline_policy.SHORT_S", float("inf"))


@pytest.fixture(scope="session")
def loop_count(model_root: Path) -> int:
    """How often slow.pt must turn to take a second or two."""
    return turns_in(1.2, model_root)


@pytest.fixture(scope="session")
def slow_body(loop_count: int) -> bytes:
    return body_of(loop_count)


@pytest.fixture(scope="session")
def brief_body(loop_count: int) -> bytes:
    """One that only has to take longer than to send something after it."""
    return body_of(loop_count // 4)


@pytest.fixture(scope="session")
def slower_body(loop_count: int) -> bytes:
    """One that takes longer than a second surely."""
    return body_of(2 * loop_count)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a certificate and of its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """An exported program, and the same in one file with its package."""
    return compile_once(tmp_path_factory)
