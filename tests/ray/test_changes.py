"""What is told to HAProxy when something changes."""

from pathlib import Path

import pytest

from torch_serving.ray.changes import copies_commands, is_safe, map_text, server_commands
from torch_serving.ray.table import DRAIN, READY, Endpoint

MAP = Path("/run/copies.map")
A = Endpoint(1, "10.0.0.1", 4001, READY)
B = Endpoint(2, "10.0.0.2", 4002, READY)
NEW = [
    "set server nodes/n1 state maint",
    "set server nodes/n1 addr 10.0.0.1 port 4001",
    "set server nodes/n1 state ready",
    "set server nodes/n1 health up",
]
CHANGES = [
    ([], [A], NEW),
    ([A, B], [A, B], []),
    ([A], [A._replace(state=DRAIN)], ["set server nodes/n1 state drain"]),
    ([A], [], ["set server nodes/n1 state maint"]),
    ([A._replace(port=9)], [A], NEW),  # a successor in the same slot
    ([A._replace(state=DRAIN)], [A], NEW[2:]),
    (
        [A],
        [B, A],
        [each.replace("n1", "n2").replace(".1", ".2").replace("01", "02") for each in NEW],
    ),
]


@pytest.mark.parametrize(("before", "after", "commands"), CHANGES)
def test_changes_of_nodes(before: list[Endpoint], after: list[Endpoint], commands: list[str]):
    by_slot = [{each.slot: each for each in endpoints} for endpoints in (before, after)]
    assert server_commands(*by_slot) == commands


def test_changes_of_copies():
    before, after = {"a": 2, "b": 3, "c": 2}, {"b": 3, "c": 4, "d": 2}
    assert copies_commands(MAP, before, after) == [
        "set map /run/copies.map c 4",
        "add map /run/copies.map d 2",
        "del map /run/copies.map a",
    ]
    assert map_text(after) == "b 3\nc 4\nd 2\n"


@pytest.mark.parametrize("key", ["mlp", "texts/a-b_c.d", "größe", "100%"])
def test_names_that_can_be_said(key: str):
    assert is_safe(key)


@pytest.mark.parametrize(
    "key", ["", "a b", "a;disable server nodes/n1", "a\nb", "a'b", "a\\b", "#a"]
)
def test_names_that_would_be_more_than_a_word_are_not_copied(key: str):
    assert not is_safe(key)
