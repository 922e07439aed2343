"""Nobody gets past the login without a password, in whatever pieces it comes, and nobody fills memory there."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memrep.protocol.memcached.text.commands import LINE_MAX
from memrep.protocol.users import Users
from tests.harness.lone_node import LoneConnection, lone_node
from tests.unit.protocol.memcached.text.test_commands import held

UNAUTHENTICATED = b"CLIENT_ERROR unauthenticated\r\n"
WRONG = b"CLIENT_ERROR authentication failure\r\n"
RIGHT = b"set x 0 0 11\r\nuser secret\r\n"


def _client() -> LoneConnection:
    return lone_node(users=Users({b"user": b"secret"})).connect()


def test_who_knows_a_password_is_let_in_and_nothing_is_stored() -> None:
    client = _client()
    assert client.receive(RIGHT) == b"STORED\r\n"
    assert client.receive(b"get x\r\nset x 0 0 1\r\ny\r\n") == b"END\r\nSTORED\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"get a",
        b"version",
        b"quit",
        b"shutdown",
        b"",
        b"set a 0 0",
        b"set a 0 0 x",
        b"set a 0 0 -1",
        b"SET a 0 0 11",
        b"add a 0 0 11",
        b"ms a 11",
    ],
)
def test_any_other_line_is_refused_and_not_executed(line: bytes) -> None:
    client = _client()
    assert client.receive(line + b"\r\n") == UNAUTHENTICATED
    assert not client.closing
    assert client.receive(RIGHT) == b"STORED\r\n"


@pytest.mark.parametrize(
    ("block", "answer"),
    [
        (b"user wrong", WRONG),
        (b"nobody secret", WRONG),
        (b"secret user", WRONG),
        (b"user", b"CLIENT_ERROR bad authentication token format\r\n"),
        (b"", b"CLIENT_ERROR bad authentication token format\r\n"),
    ],
)
def test_who_gives_a_wrong_one_stays_outside_and_may_try_again(block: bytes, answer: bytes) -> None:
    client = _client()
    assert client.receive(b"set x 0 0 %d\r\n%b\r\n" % (len(block), block)) == answer
    assert client.receive(b"get x\r\n") == UNAUTHENTICATED
    assert client.receive(RIGHT) == b"STORED\r\n"


def test_a_block_that_does_not_end_where_it_should_is_no_password_though_a_right_one_stands_in_it() -> None:
    assert (
        _client().receive(b"set x 0 0 11\r\nuser secretxx") == b"CLIENT_ERROR bad command line termination\r\n"
    )


def test_every_password_that_is_judged_is_counted() -> None:
    users = Users({b"user": b"secret"})
    client = lone_node(users=users).connect()
    client.receive(b"get a\r\nset x 0 0 10\r\nuser wrong\r\n" + RIGHT + RIGHT)
    assert (users.asked, users.refused) == (2, 1)


talk = st.lists(
    st.sampled_from(
        [
            b"get a\r\n",
            b"set a 0 0 10\r\nuser wrong\r\n",
            b"set a 0 0 4\r\nuser\r\n",
            RIGHT,
            b"set a 0 0 2 noreply\r\nab\r\n",
            b"version\n",
            b"GET / HTTP/1.1\r\n",
            b"set a 0 0 70000\r\n",
        ]
    ),
    max_size=8,
)


@given(talk, st.lists(st.integers(0, 300), max_size=8))
@example([RIGHT, b"get a\r\n"], [14, 26])
def test_in_any_pieces_it_is_answered_as_if_it_came_in_one(parts: list[bytes], places: list[int]) -> None:
    whole, pieces = _client(), _client()
    data = b"".join(parts)
    answer = whole.receive(data)
    told = b""
    for start, end in pairwise(sorted({0, len(data), *(min(place, len(data)) for place in places)})):
        if not pieces.closing:
            told += pieces.receive(data[start:end])
    assert (told, pieces.closing) == (answer, whole.closing)


@pytest.mark.parametrize(
    "said", [b"POST / HTTP/1.1\r\n", b"Host: x\r\n", b"set x 0 0 65537\r\n", b"x" * (LINE_MAX + 1)]
)
def test_a_browser_or_whoever_says_too_much_is_shut_out_without_a_word(said: bytes) -> None:
    client = _client()
    assert client.receive(said) == b""
    assert client.closing
    assert client.receive(RIGHT) == b""


def test_a_block_that_has_not_come_is_waited_for_and_costs_no_more_than_has_come() -> None:
    client = _client()
    client.receive(b"set x 0 0 65536\r\n")
    assert not client.closing
    assert client.connection.need == len(b"set x 0 0 65536\r\n") + 65536 + 2
    assert held(client.connection) < LINE_MAX
