"""The wire: whatever arrives, however it is cut, gives messages or a PeerError and nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.errors import PeerError
from memrep.replication.message import Ack, ChunkRequest, Commit, Frame, PeerMessage, Propose, Write
from memrep.replication.wire import MESSAGE_BYTES_MAX, Inbox, decode, encode, read
from memrep.storage.version import make

MESSAGES: list[PeerMessage] = [
    Frame(64, 1, [Write(b"k", make(1, 2), None, False, b"v" * 300, 0, -1), Commit(b"k", make(1, 2))]),
    Ack(64, 1, 0),
    Propose(128, {1: 5, 2: 6}),
    ChunkRequest(64, 3),
]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """These bytes, cut at these places."""
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(bounds)]


def _receive(parts: list[bytes]) -> list[PeerMessage]:
    inbox = Inbox()
    inbox.trust()
    messages = []
    for part in parts:
        messages += read(inbox.take(part))
    return messages


@given(st.lists(st.integers(0, 10_000), max_size=30))
def test_wherever_a_stream_is_cut_the_messages_are_the_same(places: list[int]) -> None:
    assert _receive(cut(b"".join(map(encode, MESSAGES)), places)) == MESSAGES


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_give_messages_or_a_peer_error(data: bytes, places: list[int]) -> None:
    try:
        _receive(cut(data, places))
    except PeerError as error:
        assert str(error)


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_bodies_give_messages_or_a_peer_error(bodies: list[bytes]) -> None:
    try:
        _receive([len(body).to_bytes(4, "big") + body for body in bodies])
    except PeerError as error:
        assert str(error).startswith("a message that cannot be read")


def test_messages_can_be_taken_one_at_a_time() -> None:
    inbox = Inbox()
    inbox.feed(b"".join(map(encode, MESSAGES)) + b"\x00")
    first = inbox.next()
    assert first is not None
    assert read([first, *inbox.take(b"")]) == MESSAGES
    assert inbox.next() is None


def test_an_announcement_above_the_limit_is_turned_away_before_the_bytes_are_here() -> None:
    with pytest.raises(PeerError, match=f"a message of {MESSAGE_BYTES_MAX + 1} bytes was announced"):
        _receive([(MESSAGE_BYTES_MAX + 1).to_bytes(4, "big")])


def test_messages_must_be_short_until_somebody_is_trusted_and_may_be_long_then() -> None:
    inbox = Inbox()
    inbox.feed(((1 << 16) + 1).to_bytes(4, "big"))
    with pytest.raises(PeerError, match="was announced"):
        inbox.next()
    inbox.trust()
    assert inbox.next() is None


def test_a_version_that_is_not_sixteen_bytes_long_is_turned_away() -> None:
    with pytest.raises(PeerError):
        _receive([encode(Frame(64, 1, [Commit(b"k", b"short")]))])


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_what_a_relay_carries_is_read_as_on_a_link_or_refused(parts: list[bytes]) -> None:
    data = b"".join(encode(message) for message in MESSAGES)
    assert decode(data) == MESSAGES
    try:
        decode(b"".join(parts))
    except PeerError as error:
        assert str(error)
