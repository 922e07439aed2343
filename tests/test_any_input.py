"""Whatever comes, in whatever pieces: the parsers of all protocols under input that knows their grammar.

What transcripts cannot show. A command may be cut anywhere, may come behind one that still waits, may be bitten
into: it is answered as in one piece on a node alone, it costs a bounded amount of memory, and it never raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Final, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memrep.habits import Habits
from memrep.protocol.text import LINE_MAX
from memrep.store import FLUSH_KEY
from memrep.users import Users, parse_users
from tests import grammar
from tests.cluster import serving_cluster
from tests.grammar import ITEM_MAX, Command
from tests.servers import AUTH_FILE
from tests.support import lone_node
from tests.test_engine import Rig
from tests.test_text import Waiting, connection_to, held

T = TypeVar("T")

USERS: Final = parse_users(AUTH_FILE.encode(), "users")


class Drawn:
    """A source that hypothesis decides."""

    def __init__(self, draw: Callable[[st.SearchStrategy[T]], T]) -> None:
        self._draw: Callable[..., object] = draw

    def pick(self, choices: Sequence[T]) -> T:
        """See `grammar.Source`."""
        return self._draw(st.sampled_from(choices))  # type: ignore[return-value]

    def number(self, least: int, most: int) -> int:
        """See `grammar.Source`."""
        return self._draw(st.integers(least, most))  # type: ignore[return-value]

    def some(self, most: int) -> bytes:
        """See `grammar.Source`."""
        return self._draw(st.binary(max_size=most))  # type: ignore[return-value]


def talks(command: Command, most: int = 10) -> st.SearchStrategy[list[bytes]]:
    """Conversations of commands of this kind."""

    @st.composite
    def drawn(draw: Callable[[st.SearchStrategy[T]], T]) -> list[bytes]:
        return grammar.talk(Drawn(draw), command, most)

    return drawn()


def lines(source: grammar.Source) -> bytes:
    """Classic and meta commands."""
    return source.pick((grammar.text, grammar.meta))(source)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The data in pieces."""
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


every_protocol = pytest.mark.parametrize(
    ("command", "users"),
    [(lines, None), (grammar.binary, None), (grammar.login, USERS), (grammar.sasl, USERS)],
    ids=["text", "binary", "login", "sasl"],
)
cuts = st.lists(st.integers(0, 5_000), max_size=8)
#: A line, a command with its value, and its reply.
BOUND: Final = 2 * LINE_MAX + 3 * ITEM_MAX


def _conversation(parts: Iterable[bytes], users: Users | None) -> tuple[bytes, bool]:
    """All replies to the parts, and whether the connection was closed."""
    lone = lone_node(item_max=ITEM_MAX, users=users)
    lone.node._surroundings.reports.clear()  # some figures do depend on the pieces
    client = lone.connect()
    replies = b""
    for part in parts:
        if client.closing:
            break
        replies += client.receive(part)
        assert client.closing or held(client.connection) < BOUND
    lone.advance(0.2)  # a lock's grant is told later if nobody reads the session
    replies += client.receive(b"")
    named = lone.node.store.get(FLUSH_KEY)
    assert named is None or named.value == b"flush", "a client has named the empty key"
    return replies, client.closing


@every_protocol
@settings(max_examples=120, deadline=None)
@given(st.data(), cuts)
def test_any_commands_in_any_cuts_are_answered_as_if_they_came_in_one_piece(
    command: Command, users: Users | None, data: st.DataObject, places: list[int]
) -> None:
    said = b"".join(data.draw(talks(command)))
    assert _conversation(cut(said, places), users) == _conversation([said], users)


@every_protocol
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_commands_byte_by_byte_are_answered_as_if_they_came_in_one_piece(
    command: Command, users: Users | None, data: st.DataObject
) -> None:
    said = b"".join(data.draw(talks(command, 5)))
    assert _conversation(cut(said, range(len(said))), users) == _conversation([said], users)


# --- replies that have to wait

waiting = pytest.mark.parametrize("command", [lines, grammar.binary], ids=["text", "binary"])


@waiting
@settings(max_examples=100, deadline=None)
@given(st.data(), cuts)
def test_a_node_that_has_to_wait_for_each_write_answers_as_one_that_has_not(
    command: Command, data: st.DataObject, places: list[int]
) -> None:
    said = b"".join(data.draw(talks(command)))
    alone = connection_to(Rig(item_max=ITEM_MAX).engine)
    expected = alone.receive(said)
    client = Waiting()
    client.rig.engine.item_max = ITEM_MAX
    replies = b""
    for part in cut(said, places):
        if client.connection.closing:
            break
        replies += client.receive(part)
        while client.rig.later.rounds:
            replies += client.succeed()
    assert (replies, client.connection.closing) == (expected, alone.closing)


def _without_uniques(replies: bytes) -> bytes:
    """The replies without cas uniques, which tell the node."""
    if not replies.startswith(b"\x81"):
        replies = re.sub(rb"(VALUE \S+ \d+ \d+) \d+\r\n", rb"\1\r\n", replies)
        return re.sub(rb" (cas=|c)\d{15,}", rb" \1", replies)
    packets = []
    while replies:
        end = grammar.HEADER.size + int.from_bytes(replies[8:12], "big")
        packets.append(replies[:16] + replies[24:end])
        replies = replies[end:]
    return b"|".join(packets)


@waiting
@settings(max_examples=40, deadline=None)
@given(st.data(), cuts, st.integers(0, 1_000))
def test_a_node_among_three_answers_as_one_alone_whenever_its_peers_acknowledge(
    command: Command, data: st.DataObject, places: list[int], seed: int
) -> None:
    said = b"".join(data.draw(talks(command)))
    plain = Habits(on=False)
    alone = lone_node(item_max=ITEM_MAX, habits=plain).connect()
    expected = alone.receive(said)
    cluster = serving_cluster(item_max=ITEM_MAX, habits=plain)
    rng = Random(seed)
    client = cluster.client(1)
    for part in cut(said, places):
        if client.connection.closing:
            break
        cluster.hold_all()
        client.post(part)
        cluster.shuffle(rng, rng.choice([0, 1, 3, 10]))
        if client.connection.blocked:
            cluster.shuffle(rng)
    cluster.shuffle(rng)
    assert _without_uniques(client.take()) == _without_uniques(expected)
    assert client.connection.closing == alone.closing
    assert not cluster.nodes[1].replica.rounds
    assert not [line for line in cluster.logs[1] if "fault" in line]
