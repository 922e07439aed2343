"""Conversations made up by chance with redis-server and a node; the search itself is put to the test, too."""

from __future__ import annotations

import os
import random
import shutil

import pytest

from memrep.protocol.resp import numbers
from tests.fuzz.redis import is_whole, levelled, search

_CONVERSATIONS = 150


@pytest.fixture(autouse=True)
def redis_is_here() -> None:
    """Skips where there is no redis-server, save where tests must be complete."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is missing, so that nothing proves the answers")
        pytest.skip("redis-server is not installed")


def _so_many() -> list[str]:
    left = iter(range(_CONVERSATIONS))
    return search(random.Random(1), lambda: next(left, None) is not None)


def test_what_is_said_by_chance_is_answered_as_by_redis_server() -> None:
    assert _so_many() == []


def test_an_answer_that_is_another_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "adding", lambda number: lambda entry: b":7\r\n")
    assert any("cr" in found.lower() for found in _so_many())


def test_a_reply_is_whole_when_all_its_parts_are_there() -> None:
    whole = b"*3\r\n$1\r\na\r\n*0\r\n:1\r\n"
    assert is_whole(whole)
    assert not any(is_whole(whole[:end]) for end in range(len(whole)))


def test_only_time_and_order_are_levelled_out() -> None:
    assert levelled(b"ttl", b":1440\r\n") == levelled(b"ttl", b":1439\r\n") != levelled(b"ttl", b":-1\r\n")
    assert levelled(b"keys", b"*2\r\n$1\r\na\r\n$1\r\nb\r\n") == levelled(
        b"keys", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"
    )
    assert levelled(b"get", b":1440\r\n") == b":1440\r\n"
