"""A client as the holder of locks: before it has a connection nothing that it might say is waited for."""

from __future__ import annotations

from memrep.php import proof
from memrep.php.lock_holder import Line, LockHolder
from tests.harness.lone_node import lone_node


def test_of_who_has_no_connection_nothing_more_is_expected() -> None:
    """A judge that is told so is done; had it to wait it would wait for ever."""
    line = LockHolder().line
    assert proof.takes(line.ahead(), b"s.lock", b"s") is False
    assert proof.reads(line.ahead(), b"s.lock", b"s") is False
    assert proof.releases(line.ahead(), b"s", b"s.lock") is False
    assert not line.impatient()


def test_who_has_no_connection_withholds_no_reply() -> None:
    line = LockHolder().line
    line.withhold()
    assert not line.withholding()


def test_a_clients_connection_is_a_line_and_withholds_until_it_is_let_go() -> None:
    holder = LockHolder()
    line: Line = lone_node().connect().connection
    holder.line = line
    holder.line.withhold()
    assert line.withholding()
    holder.line.let_go()
    assert not line.withholding()


def test_a_connection_of_which_nothing_has_come_yet_may_say_more() -> None:
    line: Line = lone_node().connect().connection
    assert proof.takes(line.ahead(), b"s.lock", b"s") is None


def test_holders_have_nothing_in_common() -> None:
    one, other = LockHolder(), LockHolder()
    one.locks[b"s.lock"] = 1
    one.undo[b"s.lock"] = lambda entry: entry
    assert not (other.locks or other.undo or other.gone or other.shared)
