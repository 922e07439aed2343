"""What a command says is a value: it may be kept, compared, and is nobody's to change."""

from __future__ import annotations

import attrs
import pytest

from memrep.protocol.command import OTHER, Said

SAID = Said(b"add", b"sid.lock", 768, b"1", quiet=True)


def test_two_that_say_the_same_are_the_same() -> None:
    assert Said(b"add", b"sid.lock", 768, b"1", quiet=True) == SAID
    assert len({Said(b"add", b"sid.lock", 768, b"1", quiet=True), SAID}) == 1


@pytest.mark.parametrize(
    "other",
    [
        Said(b"set", b"sid.lock", 768, b"1", quiet=True),
        Said(b"add", b"sid", 768, b"1", quiet=True),
        Said(b"add", b"sid.lock", 0, b"1", quiet=True),
        Said(b"add", b"sid.lock", 768, b"0", quiet=True),
        Said(b"add", b"sid.lock", 768, b"1"),
    ],
)
def test_whatever_differs_makes_another_command_of_it(other: Said) -> None:
    assert other != SAID


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Said)])
def test_nobody_changes_what_has_been_said(name: str) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(SAID, name, b"")


@pytest.mark.parametrize("verb", [b"get", b"set", b"add", b"incr", b"delete"])
def test_none_of_the_verbs_is_some_other_command(verb: bytes) -> None:
    assert Said(verb) != OTHER
    assert Said(verb, b"sid") != OTHER


def test_of_some_other_command_nothing_is_known_not_even_that_it_wants_no_answer() -> None:
    assert not (OTHER.verb or OTHER.key or OTHER.flags or OTHER.value or OTHER.quiet)
