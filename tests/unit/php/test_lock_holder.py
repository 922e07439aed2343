"""A client as the holder of locks: what it says next is read at its gate; holders have nothing in common."""

from __future__ import annotations

from memrep.php import proof
from memrep.php.lock_holder import LockHolder
from tests.harness.lone_node import lone_node


def new_holder() -> LockHolder:
    """A client of which nothing has come yet."""
    return LockHolder(lone_node().connect().connection.open_gate())


def test_a_client_of_which_nothing_has_come_yet_may_say_more() -> None:
    gate = new_holder().gate
    assert proof.takes(gate.lookahead(), b"s.lock", b"s") is None
    assert proof.reads(gate.lookahead(), b"s.lock", b"s") is None
    assert proof.releases(gate.lookahead(), b"s", b"s.lock") is None


def test_of_who_has_said_no_more_for_long_nothing_more_is_expected() -> None:
    """A judge that is told so is done; had it to wait it would wait for ever."""
    gate = new_holder().gate
    gate.timed_out = True
    assert proof.takes(gate.lookahead(), b"s.lock", b"s") is False
    assert proof.reads(gate.lookahead(), b"s.lock", b"s") is False
    assert proof.releases(gate.lookahead(), b"s", b"s.lock") is False


def test_holders_have_nothing_in_common() -> None:
    one, other = new_holder(), new_holder()
    one.locks[b"s.lock"] = 1
    one.undo[b"s.lock"] = lambda entry: entry
    assert not (other.locks or other.undo or other.gone or other.shared)
