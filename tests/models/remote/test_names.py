"""Keys of buckets that become names of files, and others."""

import pytest

from torch_serving.models.remote.names import beside, problem_with, usable
from torch_serving.models.remote.source import Entry


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("a.pt", ""),
        ("ä/ü b.pt", ""),
        ("../a.pt", "plain path"),
        ("a/../../b.pt", "plain path"),
        ("/etc/a.pt", "plain path"),
        ("a//b.pt", "plain path"),
        ("./a.pt", "plain path"),
        ("a\0.pt", "characters"),
        ("a\\b.pt", "characters"),
        ("\ud800.pt", "UTF-8"),
        ("n" * 256 + ".pt", "255 bytes"),
        ("n/" * 5000 + "a.pt", "bytes"),
    ],
)
def test_keys(key: str, words: str):
    problem = problem_with(key)
    assert words in problem if words else problem == ""


def test_names_that_differ_by_case_where_that_does_not_count():
    entries = [Entry("a.pt", "1"), Entry("A.pt", "2")]
    assert set(usable(entries)[0]) == {"a.pt", "A.pt"}
    found, problems = usable(entries, ignores_case=True)
    assert list(found) == ["a.pt"]
    assert problems == ["'A.pt' is not listed: another name differs from it by case alone"]


def test_what_is_beside_a_model():
    assert beside("f/a.pt") == ["f/a.toml", "f/a.warmup.json"]
