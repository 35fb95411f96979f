"""The page that uploads an image, in a browser, from an origin of its own."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.pages import blocks_of, run_files
from tests.support.pictures import Image
from tests.support.process import Process

ADDRESS = "http://127.0.0.1:8888"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Another origin, which serves files of a folder."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The classifier of the page about images."""
    classifier = next(
        block.text for block in blocks_of("docs/recipes/images.md") if "animals.pt" in block.text
    )
    (tmp_path / "models").mkdir()
    run_files([classifier], tmp_path)
    return tmp_path / "models"


def test_it_shows_the_label(
    browser: Browser, site: str, models: Path, tmp_path: Path, start: Callable[..., Process]
):
    [page] = [
        each.text for each in blocks_of("docs/recipes/javascript.md") if each.language == "html"
    ]
    assert ADDRESS in page
    server = start(models, "--port", "0", "--cors-origin", site)
    (tmp_path / "site" / "index.html").write_text(page.replace(ADDRESS, server.url))
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (64, 48), (200, 120, 40)).save(photo)
    browser.open(f"{site}/index.html")
    browser.one("#photo").send_keys(str(photo))
    assert browser.wait(lambda: browser.one("#answer").text) == "dog"
    assert [each for each in browser.errors() if "favicon" not in each] == []
