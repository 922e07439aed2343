"""A meta command is a line like others: executed and answered once, or refused before it does anything."""

from __future__ import annotations

import pytest

from memrep.protocol.memcached.errors import BAD_LINE, ERROR, OUT_OF_MEMORY
from memrep.protocol.memcached.text.data_block import BAD_CHUNK, LARGE
from tests.harness.engine_fixture import Rig
from tests.unit.protocol.memcached.text.test_commands import Waiting, connection_to


@pytest.mark.parametrize(
    ("said", "answer", "left"),
    [
        (b"mn\r\n", b"MN\r\n", b"70"),
        (b"mg a v\r\n", b"VA 2\r\n70\r\n", b"70"),
        (b"md a\r\n", b"HD\r\n", None),
        (b"ma a D5 v\r\n", b"VA 2\r\n75\r\n", b"75"),
        (b"ms a 3\r\nnew\r\n", b"HD\r\n", b"new"),
        (b"ms a 3 MA\r\nnew\r\n", b"HD\r\n", b"70new"),
        (b"me none\r\n", b"EN\r\n", b"70"),
    ],
)
def test_each_verb_does_its_work_and_the_next_line_is_a_command(
    said: bytes, answer: bytes, left: bytes | None
) -> None:
    rig = Rig().holding(b"70")
    assert connection_to(rig.engine).receive(said + b"mn\r\n") == answer + b"MN\r\n"
    assert rig.value(b"a") == left


@pytest.mark.parametrize("verb", [b"mg", b"md", b"ma", b"ms"])
def test_a_verb_alone_is_an_error_and_so_is_a_description_of_nothing(verb: bytes) -> None:
    client = connection_to(Rig().engine)
    assert client.receive(verb + b"\r\n") == ERROR
    assert client.receive(b"me\r\n") == BAD_LINE


@pytest.mark.parametrize(
    ("said", "passed_over"),
    [(b"mg a !\r\n", False), (b"md a !\r\n", False), (b"ms a x\r\n", False), (b"ms a 3 MX\r\n", True)],
)
def test_a_line_that_makes_no_sense_is_refused_before_anything_is_done(said: bytes, passed_over: bool) -> None:
    rig = Rig().holding(b"70")
    told = connection_to(rig.engine).receive(said + b"mn!\r\n" * passed_over + b"mn\r\n")
    refusal, rest = told.split(b"\r\n", 1)
    assert refusal.startswith(b"CLIENT_ERROR")
    assert rest == b"MN\r\n"
    assert rig.value(b"a") == b"70"


def test_commands_are_counted_and_a_value_that_has_come_half_is_not_counted_twice() -> None:
    rig = Rig().holding(b"70")
    client = connection_to(rig.engine)
    for piece in (b"mg a\r\n", b"ms a 3\r\nn", b"ew\r\n", b"ma a\r\n"):
        client.receive(piece)
    assert rig.counters.cmd_meta == 3


def test_a_value_that_is_too_large_is_passed_over_and_leaves_no_old_one() -> None:
    rig = Rig(item_max=2_000).holding(b"70")
    client = connection_to(rig.engine)
    assert client.receive(b"ms a 5000\r\n" + b"x" * 5_000 + b"\r\nmn\r\n") == LARGE + b"MN\r\n"
    assert rig.value(b"a") is None


def test_a_value_that_finds_no_memory_is_passed_over_and_leaves_no_old_one() -> None:
    rig = Rig().holding(b"70")
    client = connection_to(rig.engine)
    client.receive(b"ms a 1000\r\n" + b"x" * 500)
    client.refuse()
    client.resume()
    assert client.receive(b"x" * 500 + b"\r\nmn\r\n") == OUT_OF_MEMORY + b"MN\r\n"
    assert rig.value(b"a") is None


def test_a_value_that_does_not_end_where_its_line_says_is_not_stored() -> None:
    rig = Rig().holding(b"70")
    assert connection_to(rig.engine).receive(b"ms a 3\r\nlonger\r\n").startswith(BAD_CHUNK)
    assert rig.value(b"a") == b"70"


def test_a_plain_store_is_a_plain_write_and_what_has_a_condition_is_none() -> None:
    for said, plain in ((b"ms a 1\r\nx\r\n", True), (b"ms a 1 ME\r\nx\r\n", False)):
        client = Waiting()
        client.receive(said)
        assert client.connection.replies.plain is plain
        assert client.succeed() == b"HD\r\n"
