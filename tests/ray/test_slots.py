"""Slots stay with their nodes, whoever restarts."""

from torch_serving.ray.slots import FORGOTTEN_S, SETTLING_S, Slots
from torch_serving.ray.table import DRAIN, GONE, READY, Place

NOW = 100.0
LATER = NOW + SETTLING_S


def place(port: int, slot: int = 0, state: str = READY) -> Place:
    return Place(slot, "10.0.0.1", port, state)


def settled() -> Slots:
    slots = Slots(NOW)
    slots.forget(LATER)
    return slots


def test_nodes_get_the_first_free_slots():
    slots = settled()
    assert [slots.hear(name, place(port), LATER) for port, name in enumerate("abc")] == [1, 2, 3]
    assert slots.places() == (place(0, 1), place(1, 2), place(2, 3))


def test_a_successor_takes_the_slot_of_the_one_that_is_gone():
    slots = settled()
    for port, name in enumerate("abc"):
        slots.hear(name, place(port), LATER)
    slots.hear("b", place(1, 2, GONE), LATER)
    assert slots.hear("d", place(9), LATER) == 2


def test_who_is_not_heard_of_is_forgotten():
    slots = settled()
    slots.hear("a", place(1), LATER)
    version = slots.version
    slots.forget(LATER + FORGOTTEN_S)
    assert (slots.places(), slots.version) == ((place(1, 1),), version)
    slots.forget(LATER + FORGOTTEN_S + 0.1)
    assert slots.places() == ()
    assert slots.version > version


def test_only_what_changes_is_a_new_version():
    slots = settled()
    slots.hear("a", place(1), LATER)
    version = slots.version
    assert slots.hear("a", place(1), LATER + 1) == 1
    assert slots.version == version
    slots.hear("a", place(1, 1, DRAIN), LATER + 2)
    assert slots.version == version + 1
    assert slots.places() == (place(1, 1, DRAIN),)


def test_after_a_restart_nodes_keep_the_slots_that_they_had():
    """In the order of heartbeats, all models would move."""
    slots = Slots(NOW)
    assert slots.hear("new", place(3), NOW) == 0  # not before others could say what they had
    assert slots.hear("b", place(2, slot=2), NOW) == 2
    assert slots.places() is None  # balancers keep what they know
    assert slots.hear("a", place(1, slot=1), NOW + 1) == 1
    assert slots.hear("new", place(3), LATER) == 3
    assert slots.places() == (place(1, 1), place(2, 2), place(3, 3))


def test_two_nodes_that_say_the_same_slot_get_two():
    slots = settled()
    assert slots.hear("a", place(1, slot=4), LATER) == 4
    assert slots.hear("b", place(2, slot=4), LATER) == 1


def test_a_node_that_is_gone_twice_is_no_change():
    slots = settled()
    version = slots.version
    assert slots.hear("a", place(1, 1, GONE), LATER) == 0
    assert slots.version == version
