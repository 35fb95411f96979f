"""Hooks of mkdocs: pages that lie outside of docs/, and links to files that are no pages."""

import posixpath
import re
from functools import partial
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
SOURCES = {page: source for source, page in PAGES.items()}

# ![text](target#anchor); the text may hold one pair of brackets
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s#:]+)(#[^()\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside of docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that are right in the repository into links that are right on the site."""
    name = page.file.src_uri
    return LINK.sub(partial(site_link, SOURCES.get(name, f"docs/{name}"), name), markdown)


def site_link(source: str, page: str, link: re.Match[str]) -> str:
    """Return a link as the site has it; of a file that is no page, its text alone."""
    image, text, target, anchor = link.groups(default="")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    found = page_of(path)
    if found:
        return f"{image}[{text}]({posixpath.relpath(found, posixpath.dirname(page))}{anchor})"
    return text if (ROOT / path).exists() else link[0]


def page_of(path: str) -> str | None:
    """Return the site's name of a file or folder of the repository, if it is on the site."""
    if path in PAGES:
        return PAGES[path]
    if (ROOT / path / "README.md").is_file():
        path = posixpath.join(path, "README.md")
    is_published = path.startswith("docs/") and (ROOT / path).is_file()
    return path.removeprefix("docs/") if is_published else None
