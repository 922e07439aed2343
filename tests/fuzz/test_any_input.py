"""Whatever comes, in whatever pieces: the parsers of all protocols under input that knows their grammar.

What transcripts cannot show. A command may be cut anywhere, may come behind one that still waits, may be bitten
into: it is answered as in one piece on a node alone, it costs a bounded amount of memory, and it never raises.
`make fuzz` searches the same for longer (tests/fuzz).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from memrep.protocol.negotiation import REDIS
from memrep.protocol.users import Users
from tests.fuzz import grammar, redis_grammar
from tests.fuzz.equivalence import (
    USERS,
    alone,
    always_waiting,
    among_three,
    cut,
    never_waiting,
    tells_of_peers,
    without_peers,
)
from tests.fuzz.grammar import Command

T = TypeVar("T")


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


def talks(command: Command, most: int = 10) -> st.SearchStrategy[bytes]:
    """Conversations of commands of this kind."""

    @st.composite
    def drawn(draw: Callable[[st.SearchStrategy[T]], T]) -> bytes:
        return b"".join(grammar.talk(Drawn(draw), command, most))

    return drawn()


every_protocol = pytest.mark.parametrize(
    ("command", "users", "port"),
    [
        (grammar.lines, None, ""),
        (grammar.binary, None, ""),
        (grammar.login, USERS, ""),
        (grammar.sasl, USERS, ""),
        (redis_grammar.command, None, REDIS),
        (redis_grammar.login, USERS, REDIS),
    ],
    ids=["text", "binary", "login", "sasl", "redis", "redis login"],
)
each_without_users = pytest.mark.parametrize(
    ("command", "port"),
    [(grammar.lines, ""), (grammar.binary, ""), (redis_grammar.command, REDIS)],
    ids=["text", "binary", "redis"],
)
cuts = st.lists(st.integers(0, 5_000), max_size=8)


@every_protocol
@settings(max_examples=120)
@given(st.data(), cuts)
def test_any_commands_in_any_cuts_are_answered_as_if_they_came_in_one_piece(
    command: Command, users: Users | None, port: str, data: st.DataObject, places: list[int]
) -> None:
    said = data.draw(talks(command))
    assert alone(cut(said, places), users, port) == alone([said], users, port)


@every_protocol
@settings(max_examples=25)
@given(st.data())
def test_any_commands_byte_by_byte_are_answered_as_if_they_came_in_one_piece(
    command: Command, users: Users | None, port: str, data: st.DataObject
) -> None:
    said = data.draw(talks(command, 5))
    assert alone(cut(said, range(len(said))), users, port) == alone([said], users, port)


@each_without_users
@settings(max_examples=100)
@given(st.data(), cuts)
def test_a_node_that_has_to_wait_for_each_write_answers_as_one_that_has_not(
    command: Command, port: str, data: st.DataObject, places: list[int]
) -> None:
    said = data.draw(talks(command))
    assert always_waiting(cut(said, places), port) == never_waiting(said, port)


@each_without_users
@settings(max_examples=40)
@given(st.data(), cuts, st.integers(0, 1_000))
def test_a_node_among_three_answers_as_one_alone_whenever_its_peers_acknowledge(
    command: Command, port: str, data: st.DataObject, places: list[int], seed: int
) -> None:
    said = data.draw(talks(command))
    assume(not (port == REDIS and tells_of_peers(said)))
    assert among_three(cut(said, places), Random(seed), port) == without_peers(said, port)
