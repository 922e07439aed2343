"""A row of the table tells how many words a command has and where its keys stand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import FAST, MOVABLE_KEYS, NO_KEYS, READ, WRITE, Command, container
from tests.unit.protocol.resp.test_dialect import one_told


def _handler(client: Client, words: Sequence[bytes]) -> bytes:
    return b""


@pytest.mark.parametrize(
    ("arity", "fits"), [(2, [False, True, False, False]), (-2, [False, True, True, True]), (-1, [True] * 4)]
)
def test_an_arity_is_exact_or_if_negative_the_least(arity: int, fits: list[bool]) -> None:
    command = Command(b"x", arity, READ, _handler)
    assert [command.fits(words) for words in (1, 2, 3, 4)] == fits


@pytest.mark.parametrize(
    ("first", "last", "step", "keys"),
    [(1, 1, 1, b"a"), (1, -1, 1, b"a 1 b 2"), (1, -1, 2, b"a b"), (2, 2, 1, b"1"), (1, 2, 1, b"a 1")],
)
def test_keys_stand_from_the_first_to_the_last_so_many_words_apart(
    first: int, last: int, step: int, keys: bytes
) -> None:
    command = Command(b"x", -2, WRITE, _handler, first=first, last=last, step=step)
    assert list(command.keys_of(b"x a 1 b 2".split())) == keys.split()


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        (b"eval s 2 a b c", b"a b"),
        (b"eval s 0 a", b""),
        (b"eval s", b""),
        (b"eval s x a", b""),
        (b"eval s -1 a", b""),
        (b"eval s 9 a b", b"a b"),
    ],
)
def test_the_keys_of_a_script_are_as_many_as_it_says(line: bytes, keys: bytes) -> None:
    command = Command(b"eval", -3, WRITE | MOVABLE_KEYS, _handler)
    assert list(command.keys_of(line.split())) == keys.split()


def test_a_command_without_keys_has_none() -> None:
    assert not Command(b"x", -1, NO_KEYS, _handler).keys_of([b"x", b"a"])


def test_a_description_has_the_ten_elements_that_clients_read() -> None:
    command = Command(b"mset", -3, WRITE | FAST, _handler, last=-1, step=2)
    told = one_told(command.described())
    assert told[:6] == [b"mset", -3, [b"+write", b"+fast"], 1, -1, 2]
    assert len(told) == 10
    assert one_told(Command(b"ping", -1, NO_KEYS, _handler).described())[3:6] == [0, 0, 0]


def test_what_stands_for_several_names_them_by_both_words() -> None:
    inner = Command(b"get", 3, NO_KEYS, _handler)
    outer = container(b"config", inner)
    assert outer.subcommands[b"get"].name == b"config|get"
    assert one_told(outer.described())[9][0][0] == b"config|get"
    assert not outer.keys_of([b"config", b"get", b"a"])
