"""One item is asked for and understood, whatever its key."""

from __future__ import annotations

import pytest

from memrep.errors import UsageError
from memrep.handlers.item import Item
from memrep.move.connection import Connection
from memrep.move.meta import GONE, asked, is_nameable, told
from tests.unit.move.scripted import scripted


def test_keys_that_cannot_stand_in_a_line_are_spelled_otherwise() -> None:
    assert asked(b"plain") == b"mg plain f t v u\r\n"
    assert asked(b"a b") == b"mg YSBi b f t v u\r\n"
    assert [is_nameable(key) for key in (b"x" * 250, b"x" * 251, b" " * 186, b" " * 187, b"")] == [
        True, False, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "item"),
    [
        (b"VA 5 f7 t12\r\na\r\nbc\r\n", Item(b"k", b"a\r\nbc", 7, 12_000)),
        (b"VA 0 f0 t-1\r\n\r\n", Item(b"k", b"", 0, None)),
        (b"VA 1 f0 t3 W\r\nx\r\n", Item(b"k", b"x", 0, 3_000)),
        (b"EN\r\n", GONE),
    ],
)
def test_an_answer_is_an_item_or_that_it_is_gone(answer: bytes, item: Item) -> None:
    with scripted([(asked(b"k"), answer)]) as server, Connection(server) as it:
        it.send(asked(b"k"))
        assert told(it, b"k") == item


def test_another_answer_is_told() -> None:
    with scripted([(asked(b"k"), b"SERVER_ERROR busy\r\n")]) as server, Connection(server) as it:
        it.send(asked(b"k"))
        with pytest.raises(UsageError, match="'SERVER_ERROR busy' instead of a value"):
            told(it, b"k")
