"""Conversations made up by chance with redis-server and a node; the search itself is put to the test, too."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from pathlib import Path

import pytest

from memrep.protocol.resp import numbers
from memrep.protocol.resp.parser import words_of
from memrep.protocol.resp.subscriptions import Subscriptions
from tests.fuzz import redis, redis_grammar
from tests.fuzz.grammar import Chance
from tests.fuzz.redis import Conversation, Turn, levelled, search
from tests.fuzz.redis_grammar import spelled
from tests.fuzz.redis_replies import is_whole, messages_last, split

_CONVERSATIONS = 150


@pytest.fixture(autouse=True)
def redis_is_here() -> None:
    """Skips where there is no redis-server, save where tests must be complete."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is missing, so that nothing proves the answers")
        pytest.skip("redis-server is not installed")


def _found(seed: int = 1, conversations: int = _CONVERSATIONS) -> list[tuple[Conversation, str]]:
    left = iter(range(conversations))
    return list(search(random.Random(seed), lambda: next(left, None) is not None))


def test_what_is_said_by_chance_is_answered_as_by_redis_server() -> None:
    assert [how for _, how in _found()] == []


def test_an_answer_that_is_another_is_found_and_nothing_else_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "adding", lambda number: lambda entry: b":7\r\n")
    one, how = next(iter(search(random.Random(1), lambda: True)))
    assert len(one.turns) == 1
    assert "cr" in how.lower()
    assert Conversation.read(one.written()) == one


def test_what_only_another_client_should_have_been_told_is_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    turns = Turn(1, (spelled([b"subscribe", b"a"]),)), Turn(0, (spelled([b"publish", b"a", b"x"]),))
    talk = Conversation(False, turns)
    file = tmp_path / "found"
    file.write_text(talk.written())
    assert redis.replay(file) is None
    monkeypatch.setattr(Subscriptions, "publish", lambda self, channel, text: 1)
    how = redis.replay(file)
    assert how is not None and "message" in how


def test_a_reply_is_whole_when_all_its_parts_are_there() -> None:
    whole = b"*3\r\n$1\r\na\r\n*0\r\n:1\r\n%1\r\n$1\r\na\r\n=5\r\ntxt:a\r\n>1\r\n_\r\n"
    replies, rest = split(whole)
    assert b"".join(replies) == whole and not rest and len(replies) == 3
    for reply in replies:
        assert is_whole(reply)
        assert not any(is_whole(reply[:end]) for end in range(len(reply)))


def test_only_time_and_order_are_levelled_out() -> None:
    assert levelled(b"ttl", b":1440\r\n") == levelled(b"ttl", b":1439\r\n") != levelled(b"ttl", b":-1\r\n")
    assert levelled(b"keys", b"*2\r\n$1\r\na\r\n$1\r\nb\r\n") == levelled(
        b"keys", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"
    )
    assert levelled(b"get", b":1440\r\n") == b":1440\r\n"
    message = b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
    assert messages_last(message + b":1\r\n") == b":1\r\n" + message


def test_a_command_that_is_typed_means_the_same_words() -> None:
    source = Chance(random.Random(1))
    for _ in range(2_000):
        words = redis_grammar.compared(source)
        line = redis_grammar.typed(source, words)
        assert words_of(line.rstrip(b"\n").removesuffix(b"\r")) == words


def test_the_grammar_says_every_command() -> None:
    source = Chance(random.Random(1))
    said = {redis_grammar.compared(source)[0].lower() for _ in range(4_000)}
    shapes = itertools.chain.from_iterable(redis_grammar._COMPARED)
    assert {shape[0] for shape in shapes} <= said
