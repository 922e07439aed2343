"""Redis' protocol, as far as a move speaks it."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest

from memrep.errors import UsageError
from memrep.move.resp import RedisClient
from tests.unit.move.scripted import scripted


def told(*words: bytes) -> bytes:
    """Spell a command."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def test_who_it_is_and_which_database_is_said_first() -> None:
    conversation = [
        (told(b"AUTH", b"me", b"pw"), b"+OK\r\n"),
        (told(b"SELECT", b"3"), b"+OK\r\n"),
        (told(b"DBSIZE"), b":7\r\n"),
    ]
    with scripted(conversation) as server:
        one = msgspec.structs.replace(server, user="me", password="pw", database=3)
        with closing(RedisClient(one)) as client:
            assert client.size() == 7


def test_a_pipeline_has_an_answer_of_any_kind_to_each() -> None:
    commands = [(b"GET", b"a"), (b"GET", b"b"), (b"X",), (b"Y",), (b"Z",)]
    answers = b"$4\r\n\r\n\0x\r\n$-1\r\n-ERR no\r\n*2\r\n:1\r\n*-1\r\n+OK\r\n"
    due = b"".join(told(*words) for words in commands)
    with scripted([(due, answers)]) as server, closing(RedisClient(server)) as client:
        one, two, three, four, five = client.pipeline(commands)
    assert (one, two, four, five) == (b"\r\n\0x", None, [1, None], b"OK")
    assert isinstance(three, UsageError)
    assert "answers 'ERR no'" in str(three)


def test_keys_are_listed_to_the_end_and_a_prefix_means_itself() -> None:
    def scan(cursor: bytes) -> bytes:
        return told(b"SCAN", cursor, b"MATCH", b"a\\*b\\[*", b"COUNT", b"500")

    conversation = [
        (scan(b"0"), b"*2\r\n$2\r\n17\r\n*1\r\n$5\r\na*b[x\r\n"),
        (scan(b"17"), b"*2\r\n$1\r\n0\r\n*0\r\n"),
    ]
    with scripted(conversation) as server, closing(RedisClient(server)) as client:
        assert list(client.listed(b"a*b[")) == [[b"a*b[x"], []]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"-NOAUTH Authentication required.\r\n", "NOAUTH"),
        (b"ERROR\r\n", "does not speak Redis' protocol"),
    ],
)
def test_a_server_that_will_not_is_told_of(answer: bytes, says: str) -> None:
    refused = pytest.raises(UsageError, match=says)
    with scripted([(told(b"DBSIZE"), answer)]) as server, closing(RedisClient(server)) as client, refused:
        client.size()
