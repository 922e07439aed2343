"""What brings no value changes what is there, once; of several mistakes memcached's choice is told."""

from __future__ import annotations

import pytest

from memrep.protocol.memcached.errors import BAD_EXPTIME, BAD_LINE, ERROR, NO_NUMBER
from memrep.protocol.memcached.limits import deadline
from memrep.storage.entry import NEVER
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import lone_node
from tests.unit.protocol.memcached.text.test_commands import connection_to

LONG = b"k" * 251
BAD_DELTA = b"CLIENT_ERROR invalid numeric delta argument\r\n"
USAGE = b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"


@pytest.mark.parametrize(
    ("line", "answer", "left"),
    [
        (b"incr a 5", b"75\r\n", b"75"),
        (b"decr a 5", b"65\r\n", b"65"),
        (b"decr a 500", b"0\r\n", b"0"),
        (b"touch a 60", b"TOUCHED\r\n", b"70"),
        (b"delete a", b"DELETED\r\n", None),
        (b"delete a 0", b"DELETED\r\n", None),
        (b"flush_all", b"OK\r\n", None),
        (b"incr b 5", b"NOT_FOUND\r\n", b"70"),
        (b"touch b 60", b"NOT_FOUND\r\n", b"70"),
        (b"delete b", b"NOT_FOUND\r\n", b"70"),
    ],
)
@pytest.mark.parametrize("noreply", [False, True])
def test_a_command_changes_what_is_there_and_says_so_unless_no_reply_was_asked_for(
    line: bytes, answer: bytes, left: bytes | None, noreply: bool
) -> None:
    rig = Rig().holding(b"70")
    told = connection_to(rig.engine).receive(line + b" noreply" * noreply + b"\r\n")
    assert told == (b"" if noreply else answer)
    value = rig.value(b"a")
    assert (value and value.rstrip(b" ")) == left


def test_a_touch_moves_the_end_and_a_delayed_flush_comes_when_it_is_due() -> None:
    rig = Rig().holding(b"x")
    client = connection_to(rig.engine)
    client.receive(b"touch a 60\r\n")
    assert rig.entry(b"a").expires == deadline(rig.clock, 60) != NEVER
    client.receive(b"flush_all 10\r\n")
    assert rig.value(b"a") == b"x"


def test_what_is_no_number_is_not_counted() -> None:
    assert connection_to(Rig().holding(b"x").engine).receive(b"incr a 1\r\n") == NO_NUMBER


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"incr a", ERROR),
        (b"incr a 1 noreply x", ERROR),
        (b"incr %b x" % LONG, BAD_LINE),
        (b"decr a x", BAD_DELTA),
        (b"touch a", ERROR),
        (b"touch %b x" % LONG, BAD_LINE),
        (b"touch a x", BAD_EXPTIME),
        (b"delete", ERROR),
        (b"delete a 0 noreply x", ERROR),
        (b"delete %b 5" % LONG, USAGE),
        (b"delete %b" % LONG, BAD_LINE),
        (b"flush_all 0 noreply x", ERROR),
        (b"flush_all x", BAD_EXPTIME),
    ],
)
def test_the_first_mistake_in_memcacheds_order_is_told_and_nothing_is_done(line: bytes, answer: bytes) -> None:
    rig = Rig().holding(b"70")
    assert connection_to(rig.engine).receive(line + b"\r\nmn\r\n") == answer + b"MN\r\n"
    assert rig.value(b"a") == b"70"


def test_a_flush_that_is_not_allowed_is_counted_refused_and_not_done() -> None:
    lone = lone_node(flush_all=False)
    client = lone.connect()
    client.receive(b"set a 0 0 1\r\nx\r\n")
    assert client.receive(b"flush_all\r\n") == b"CLIENT_ERROR flush_all not allowed\r\n"
    assert client.receive(b"flush_all noreply\r\nget a\r\n") == b"VALUE a 0 1\r\nx\r\nEND\r\n"
    assert lone.node.counters.cmd_flush == 2


def test_a_delete_is_counted_for_its_prefix() -> None:
    client = connection_to(Rig().engine)
    client.receive(b"stats detail on\r\ndelete p:a\r\n")
    assert b"PREFIX p get 0 hit 0 set 0 del 1\r\n" in client.receive(b"stats detail dump\r\n")
