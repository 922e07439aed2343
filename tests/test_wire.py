"""The wire: whatever arrives, however it is cut, gives messages or a PeerError and nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.errors import PeerError
from memrep.replication.message import Ack, Any, Commit, Frame, More, Propose, Write
from memrep.replication.wire import (
    MESSAGE_BYTES_MAX,
    WIRE_VERSION,
    Hello,
    Inbox,
    Incoming,
    Outgoing,
    Sorry,
    decode,
    encode,
)
from memrep.version import make

NODES = ["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"]
HELLO = encode(Hello(WIRE_VERSION, 2, 77, NODES))
MESSAGES: list[Any] = [
    Frame(64, 1, [Write(b"k", make(1, 2), None, False, b"v" * 300, 0, -1), Commit(b"k", make(1, 2))]),
    Ack(64, 1, 0),
    Propose(128, {1: 5, 2: 6}),
    More(64, 3),
]


def _receive(parts: list[bytes]) -> tuple[Incoming, list[Any]]:
    incoming = Incoming(1, NODES)
    return incoming, [message for part in parts for message in incoming.receive(part)]


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(bounds)]


@given(st.lists(st.integers(0, 10_000), max_size=30))
def test_wherever_a_stream_is_cut_the_messages_are_the_same(places: list[int]) -> None:
    data = HELLO + b"".join(encode(message) for message in MESSAGES)
    incoming, messages = _receive(_cut(data, places))
    assert messages == MESSAGES
    assert (incoming.node, incoming.inc) == (2, 77)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8), st.booleans())
def test_any_bytes_give_messages_or_a_peer_error(data: bytes, places: list[int], greeted: bool) -> None:
    try:
        _receive(_cut(HELLO * greeted + data, places))
    except PeerError as error:
        assert str(error)


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_bodies_behind_a_greeting_give_messages_or_a_peer_error(bodies: list[bytes]) -> None:
    try:
        _receive([HELLO, *(len(body).to_bytes(4, "big") + body for body in bodies)])
    except PeerError as error:
        assert str(error).startswith("a message that cannot be read")


@given(st.binary(max_size=100))
def test_any_answer_to_a_greeting_is_a_reason_or_nothing_yet_or_a_peer_error(data: bytes) -> None:
    try:
        assert Outgoing().receive(data) is None or data
    except PeerError as error:
        assert str(error)


def test_an_announcement_above_the_limit_is_turned_away_before_the_bytes_are_here() -> None:
    incoming, _ = _receive([HELLO])
    with pytest.raises(PeerError, match=f"a message of {MESSAGE_BYTES_MAX + 1} bytes was announced"):
        incoming.receive((MESSAGE_BYTES_MAX + 1).to_bytes(4, "big"))


def test_a_greeting_must_be_short_and_later_messages_may_be_long() -> None:
    size = (1 << 16) + 1
    with pytest.raises(PeerError, match="was announced"):
        Inbox().feed(size.to_bytes(4, "big"))
    incoming, _ = _receive([HELLO])
    assert incoming.receive(size.to_bytes(4, "big")) == []


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (Hello(WIRE_VERSION + 1, 2, 7, NODES), "it speaks version"),
        (
            Hello(WIRE_VERSION, 2, 7, NODES[:2]),
            "its --nodes list is 10.0.0.1:11211,10.0.0.2:11211, this node's is",
        ),
        (Hello(WIRE_VERSION, 2, 7, NODES[::-1]), "its --nodes list is"),
        (Hello(WIRE_VERSION, 1, 7, NODES), "it claims to be node 1"),
        (Hello(WIRE_VERSION, 0, 7, NODES), "it claims to be node 0"),
        (Hello(WIRE_VERSION, 4, 7, NODES), "it claims to be node 4"),
    ],
)
def test_a_greeting_that_does_not_fit_is_turned_away_with_the_reason(hello: Hello, reason: str) -> None:
    with pytest.raises(PeerError, match=reason):
        _receive([encode(hello)])


@pytest.mark.parametrize("message", [MESSAGES[1], Sorry("x")])
def test_a_link_that_does_not_begin_with_a_greeting_is_turned_away(message: Ack | Sorry) -> None:
    with pytest.raises(PeerError, match="the greeting is not that of a memrep node"):
        _receive([encode(message)])


def test_a_version_that_is_not_sixteen_bytes_long_is_turned_away() -> None:
    with pytest.raises(PeerError):
        _receive([HELLO, encode(Frame(64, 1, [Commit(b"k", b"short")]))])


def test_the_dialling_end_learns_the_reason_in_whatever_pieces_it_comes() -> None:
    outgoing = Outgoing()
    data = encode(Sorry("because"))
    assert [outgoing.receive(data[i : i + 1]) for i in range(len(data))][-1] == "because"


@pytest.mark.parametrize(("theirs", "ours"), [("--partition majority", ""), ("", "x"), ("a", "b")])
def test_a_node_on_other_terms_is_turned_away_with_both(theirs: str, ours: str) -> None:
    incoming = Incoming(1, NODES, ours)
    with pytest.raises(PeerError, match=f"^it runs with {theirs}, this node with {ours}$"):
        incoming.receive(encode(Hello(WIRE_VERSION, 2, 77, NODES, theirs)))
    assert incoming.node is None


def test_a_node_on_the_same_terms_is_welcome() -> None:
    incoming = Incoming(1, NODES, "--partition majority")
    assert incoming.receive(encode(Hello(WIRE_VERSION, 2, 77, NODES, "--partition majority"))) == []
    assert incoming.node == 2


def test_what_differs_first_is_what_the_operator_is_told() -> None:
    with pytest.raises(PeerError, match="it speaks version"):
        _receive([encode(Hello(WIRE_VERSION + 1, 2, 7, NODES[:2], "other"))])
    with pytest.raises(PeerError, match="its --nodes list is"):
        _receive([encode(Hello(WIRE_VERSION, 2, 7, NODES[:2], "other"))])


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_what_a_relay_carries_is_read_as_on_a_link_or_refused(parts: list[bytes]) -> None:
    data = b"".join(encode(message) for message in MESSAGES)
    assert decode(data) == MESSAGES
    try:
        decode(b"".join(parts))
    except PeerError as error:
        assert str(error)
