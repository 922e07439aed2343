"""A value is stored whole or not at all, is held no longer than needed, and passed over if it is refused."""

from __future__ import annotations

import pytest

from memrep.protocol.connection import Connection
from memrep.protocol.memcached.errors import BAD_LINE, ERROR, OUT_OF_MEMORY
from memrep.protocol.memcached.text.commands import LINE_MAX
from memrep.protocol.memcached.text.data_block import BAD_CHUNK, LARGE, VALUE_MAX
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import lone_node
from tests.unit.protocol.memcached.text.test_commands import PIECE, connection_to, held, pieces


def _holding(value: bytes = b"old") -> tuple[Rig, Connection]:
    rig = Rig(item_max=2_000).holding(value)
    return rig, connection_to(rig.engine)


# --- what each verb does

VERBS = [b"set", b"add", b"replace", b"append", b"prepend"]


@pytest.mark.parametrize(
    ("verb", "on_a_value", "on_none"),
    [
        (b"set", b"new", b"new"),
        (b"add", b"old", b"new"),
        (b"replace", b"new", None),
        (b"append", b"oldnew", None),
        (b"prepend", b"newold", None),
    ],
)
def test_a_verb_makes_of_what_is_there_what_its_name_says(
    verb: bytes, on_a_value: bytes, on_none: bytes | None
) -> None:
    rig, client = _holding()
    for key, left in ((b"a", on_a_value), (b"b", on_none)):
        changes = left not in (None, b"old")
        told = client.receive(verb + b" " + key + b" 0 0 3\r\nnew\r\n")
        assert told == (b"STORED\r\n" if changes else b"NOT_STORED\r\n")
        assert rig.value(key) == left


@pytest.mark.parametrize("verb", [b"append", b"prepend"])
def test_what_only_adds_to_a_value_ignores_flags_and_exptime(verb: bytes) -> None:
    rig = Rig().holding(b"old", flags=7)
    before = rig.entry(b"a").expires
    connection_to(rig.engine).receive(verb + b" a 9 60 1\r\nx\r\n")
    assert (rig.entry(b"a").flags, rig.entry(b"a").expires) == (7, before)


def test_a_cas_stores_only_over_what_its_client_has_seen() -> None:
    rig, client = _holding()
    unique = rig.unique(b"a")
    assert client.receive(b"cas a 0 0 1 %d\r\nx\r\n" % (unique + 1)) == b"EXISTS\r\n"
    assert client.receive(b"cas a 0 0 1 %d\r\nx\r\n" % unique) == b"STORED\r\n"
    assert client.receive(b"cas a 0 0 1 %d\r\ny\r\n" % unique) == b"EXISTS\r\n"
    assert rig.value(b"a") == b"x"


# --- lines that make no sense


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (b"a 0 0", ERROR),
        (b"a 0 0 3 noreply 1", ERROR),
        (b"a x 0 3", BAD_LINE),
        (b"a 0 0 -1", BAD_LINE),
        (b"%b 0 0 3" % (b"k" * 251), BAD_LINE),
        (b"a 0 0 %d" % VALUE_MAX, BAD_LINE),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_refused_for_its_line_has_no_data_block(verb: bytes, words: bytes, answer: bytes) -> None:
    rig, client = _holding()
    assert client.receive(verb + b" " + words + b"\r\nmn\r\n") == answer + b"MN\r\n"
    assert rig.value(b"a") == b"old"


def test_a_cas_without_a_number_is_refused() -> None:
    _, client = _holding()
    assert client.receive(b"cas a 0 0 3\r\n") == ERROR
    assert client.receive(b"cas a 0 0 3 x\r\n") == BAD_LINE


# --- values that do not fit


@pytest.mark.parametrize(("verb", "left"), [(b"set", None), (b"add", b"old"), (b"append", b"old")])
@pytest.mark.parametrize("noreply", [b"", b" noreply"])
def test_only_a_set_that_is_too_large_leaves_no_old_value_behind(
    verb: bytes, left: bytes | None, noreply: bytes
) -> None:
    rig, client = _holding()
    data = verb + b" a 0 0 5000" + noreply + b"\r\n" + b"x" * 5_000 + b"\r\nmn\r\n"
    assert client.receive(data) == (b"" if noreply else LARGE) + b"MN\r\n"
    assert rig.value(b"a") == left
    assert rig.counters.store_too_large == 1


@pytest.mark.parametrize(("verb", "left"), [(b"set", None), (b"add", b"old"), (b"append", b"old")])
def test_what_has_come_half_and_finds_no_memory_is_passed_over_and_said_so(
    verb: bytes, left: bytes | None
) -> None:
    rig, client = _holding()
    client.receive(verb + b" a 0 0 1000\r\n" + b"x" * 500)
    client.refuse()
    assert client.resume() == b""
    assert client.receive(b"x" * 500 + b"\r\nmn\r\n") == OUT_OF_MEMORY + b"MN\r\n"
    assert not client.refused
    assert rig.value(b"a") == left
    assert rig.counters.store_no_memory == 1


def test_a_value_that_does_not_end_where_its_line_says_is_not_stored() -> None:
    rig, client = _holding()
    assert client.receive(b"set a 0 0 3\r\nlonger\r\n").startswith(BAD_CHUNK)
    assert rig.value(b"a") == b"old"


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_is_counted_for_its_prefix_once_however_its_value_comes(verb: bytes) -> None:
    rig = Rig(item_max=2_000).holding(b"old", b"p:a")
    client = connection_to(rig.engine)
    client.receive(b"stats detail on\r\n")
    for size in (3, 5_000):
        for piece in pieces(verb + b" p:a 0 0 %d\r\n" % size + b"x" * size + b"\r\n", 7):
            client.receive(piece)
    assert b"PREFIX p get 0 hit 0 set 2 del 0\r\n" in client.receive(b"stats detail dump\r\n")


# --- pieces


@pytest.mark.parametrize(
    ("lone", "line"),
    [
        (lone_node(), b"set a 0 0 2147483000\r\n"),
        (lone_node(), b"set a 0 0 1048577 noreply\r\n"),
        (lone_node(item_max=2_000), b"add a 0 0 100000000\r\n"),
    ],
)
def test_a_value_that_is_too_large_is_passed_over_and_never_held(lone: object, line: bytes) -> None:
    client = lone.connect()  # type: ignore[attr-defined]
    client.receive(line)
    for _ in range(64):
        assert client.receive(b"x" * PIECE) == b"" or b"noreply" in line
        assert held(client.connection) < LINE_MAX + PIECE
        if client.closing:  # a line without end, once the value has been passed over
            break


@pytest.mark.parametrize("size", [1, 7, PIECE])
def test_what_follows_a_value_that_was_passed_over_is_a_command(size: int) -> None:
    client = lone_node(item_max=2_000).connect()
    data = b"set a 0 0 5000\r\n" + b"quit\n" * 1_000 + b"\r\nversion\r\n"
    replies = b"".join(map(client.receive, pieces(data, size)))
    too_large, version, rest = replies.split(b"\r\n")
    assert too_large == b"SERVER_ERROR object too large for cache"
    assert (version[:8], rest) == (b"VERSION ", b"")


def test_a_value_is_held_only_until_it_is_complete() -> None:
    client = lone_node().connect()
    replies = b"".join(map(client.receive, pieces(b"set a 0 0 1000000\r\n" + b"x" * 1_000_000 + b"\r\n")))
    assert replies == b"STORED\r\n"
    assert held(client.connection) < 1_000


def test_a_line_behind_a_value_that_came_in_two_pieces_may_come_in_two_pieces_itself() -> None:
    client = lone_node().connect()
    assert client.receive(b"set a 0 0 100\r\n") == b""
    assert client.receive(b"v" * 100 + b"\r\ndelete ") == b"STORED\r\n"
    assert client.receive(b"a\r\n") == b"DELETED\r\n"
