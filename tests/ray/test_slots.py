"""Slots stay with their nodes, whoever restarts."""

from torch_serving.ray.slots import FORGOTTEN_S, OVERDUE_S, SETTLING_S, Slots
from torch_serving.ray.table import DRAIN, GONE, READY, Endpoint

NOW = 100.0
LATER = NOW + SETTLING_S


def endpoint(port: int, slot: int = 0, state: str = READY) -> Endpoint:
    return Endpoint(slot, "10.0.0.1", port, state)


def settled() -> Slots:
    slots = Slots(NOW)
    slots.forget(LATER)
    return slots


def test_nodes_get_the_first_free_slots():
    slots = settled()
    given = [slots.heartbeat(name, endpoint(port), LATER) for port, name in enumerate("abc")]
    assert given == [1, 2, 3]
    assert slots.endpoints() == (endpoint(0, 1), endpoint(1, 2), endpoint(2, 3))


def test_a_successor_takes_the_slot_of_the_one_that_is_gone():
    slots = settled()
    for port, name in enumerate("abc"):
        slots.heartbeat(name, endpoint(port), LATER)
    slots.heartbeat("b", endpoint(1, 2, GONE), LATER)
    assert slots.heartbeat("d", endpoint(9), LATER) == 2


def test_of_several_free_slots_the_one_that_was_left_last_is_taken():
    """The others' models have moved long ago."""
    slots = settled()
    for port, name in enumerate("abc"):
        slots.heartbeat(name, endpoint(port), LATER)
    for name in "cab":
        slots.heartbeat(name, endpoint(0, state=GONE), LATER)
    assert [slots.heartbeat(name, endpoint(9), LATER) for name in "defg"] == [2, 1, 3, 4]


def test_no_slot_is_given_while_a_node_may_be_gone():
    """Its successor would take another one, and with it other models."""
    slots = settled()
    slots.heartbeat("a", endpoint(1), LATER)
    late, later = LATER + OVERDUE_S + 0.1, LATER + FORGOTTEN_S + 0.1
    assert slots.heartbeat("b", endpoint(2), late) == 0
    assert slots.heartbeat("c", endpoint(3, slot=7), late) == 7  # who had one keeps it
    assert slots.heartbeat("b", endpoint(2), later) == 0  # now that one is late
    slots.heartbeat("c", endpoint(3), later)
    assert slots.heartbeat("b", endpoint(2), later) == 1


def test_who_is_not_heard_of_is_forgotten():
    slots = settled()
    slots.heartbeat("a", endpoint(1), LATER)
    version = slots.version
    slots.forget(LATER + FORGOTTEN_S)
    assert (slots.endpoints(), slots.version) == ((endpoint(1, 1),), version)
    slots.forget(LATER + FORGOTTEN_S + 0.1)
    assert slots.endpoints() == ()
    assert slots.version > version


def test_only_what_changes_is_a_new_version():
    slots = settled()
    slots.heartbeat("a", endpoint(1), LATER)
    version = slots.version
    assert slots.heartbeat("a", endpoint(1), LATER + 1) == 1
    assert slots.version == version
    slots.heartbeat("a", endpoint(1, 1, DRAIN), LATER + 2)
    assert slots.version == version + 1
    assert slots.endpoints() == (endpoint(1, 1, DRAIN),)


def test_after_a_restart_nodes_keep_the_slots_that_they_had():
    """In the order of heartbeats, all models would move."""
    slots = Slots(NOW)
    assert slots.heartbeat("new", endpoint(3), NOW) == 0  # others could not say yet what they had
    assert slots.heartbeat("b", endpoint(2, slot=2), NOW) == 2
    assert slots.endpoints() is None  # balancers keep what they know
    assert slots.heartbeat("a", endpoint(1, slot=1), NOW + 1) == 1
    slots.heartbeat("b", endpoint(2, slot=2), NOW + 1)
    assert slots.heartbeat("new", endpoint(3), LATER) == 3
    assert slots.endpoints() == (endpoint(1, 1), endpoint(2, 2), endpoint(3, 3))


def test_two_nodes_that_say_the_same_slot_get_two():
    slots = settled()
    assert slots.heartbeat("a", endpoint(1, slot=4), LATER) == 4
    assert slots.heartbeat("b", endpoint(2, slot=4), LATER) == 1


def test_a_node_that_is_gone_twice_is_no_change():
    slots = settled()
    version = slots.version
    assert slots.heartbeat("a", endpoint(1, 1, GONE), LATER) == 0
    assert slots.version == version
