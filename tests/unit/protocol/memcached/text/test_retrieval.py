"""A get of one key shows what a get of many would show of it, there, on its way, or of a policy's making."""

from __future__ import annotations

import pytest

from memrep.protocol.memcached.errors import BAD_LINE
from memrep.protocol.memcached.limits import deadline
from memrep.protocol.replies import OUTPUT_MAX
from tests.harness.engine_fixture import Rig, rig_later
from tests.harness.lone_node import lone_node
from tests.unit.php.story import ADD, ASK, GRANTED, LOCK, READ
from tests.unit.protocol.memcached.text.test_commands import connection_to

SHOWN = b"VALUE a 7 3\r\nold\r\n"
END = b"END\r\n"


@pytest.mark.parametrize(("key", "shown"), [(b"a", SHOWN), (b"none", b"")])
def test_one_key_is_shown_as_among_many(key: bytes, shown: bytes) -> None:
    client = connection_to(Rig().holding(b"old", flags=7).engine)
    assert client.receive(b"get " + key + b"\r\n") == shown + END
    assert client.receive(b"bget " + key + b"\r\n") == shown + END
    assert client.receive(b"get " + key + b" " + key + b"\r\n") == shown * 2 + END


def test_gets_shows_the_cas_unique_and_gat_lets_the_value_end_anew() -> None:
    rig = Rig().holding(b"old", flags=7)
    client = connection_to(rig.engine)
    with_unique = b"VALUE a 7 3 %d\r\nold\r\n" % rig.unique(b"a") + END
    assert client.receive(b"gets a\r\n") == with_unique
    assert client.receive(b"gat 60 a\r\n") == SHOWN + END
    assert rig.entry(b"a").expires == deadline(rig.clock, 60)
    assert client.receive(b"gats 90 a\r\n") == with_unique
    assert rig.entry(b"a").expires == deadline(rig.clock, 90)


def test_a_key_that_is_being_written_is_shown_when_that_is_done_and_what_is_deleted_then_is_not() -> None:
    for write, shown in ((b"set a 0 0 1\r\nx\r\n", b"VALUE a 0 1\r\nx\r\n"), (b"delete a\r\n", b"")):
        rig = rig_later(a=b"old")
        writer, reader = connection_to(rig.engine), connection_to(rig.engine)
        writer.receive(write)
        assert reader.receive(b"get a\r\n") == b""
        rig.later.succeed()
        assert reader.resume() == shown + END


def test_a_miss_that_a_policy_fills_is_shown_as_it_says() -> None:
    """PHP's does so for who has taken a session's lock: the session is empty, not missing."""
    client = lone_node().connect()
    client.receive(b"set %b 768 15 1\r\n0\r\n" % LOCK)
    told = client.receive(ASK + ADD + READ)
    assert told.endswith(GRANTED[-len(END) :])
    assert told.count(b"VALUE") == GRANTED.count(b"VALUE")


@pytest.mark.parametrize("verb", [b"get", b"gets"])
def test_a_key_that_is_too_long_is_refused_alone_too(verb: bytes) -> None:
    client = connection_to(Rig().engine)
    assert client.receive(verb + b" " + b"k" * 251 + b"\r\n") == BAD_LINE


def test_a_row_of_gets_stops_when_as_much_has_been_shown_as_may_be_on_its_way_to_a_client() -> None:
    client = connection_to(Rig(item_max=OUTPUT_MAX).holding(b"x" * (OUTPUT_MAX // 2)).engine)
    told = client.receive(b"get a\r\n" * 3)
    assert told.count(END) == 2
    assert client.blocked
    assert client.resume().count(END) == 1
