"""Every outcome that a command may end with has a line of its own, and every entry can be read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.engine import operations
from memrep.engine.operations import LATER, NO_MEMORY, TOO_LARGE, Outcome
from memrep.protocol.memcached.text.outcomes import REPLIES, show, show_cas, silent, spell
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import make
from tests.harness.engine_fixture import Rig

#: All there are. Of what is too large its command says so when it has passed over it.
OUTCOMES = [
    found for found in vars(operations).values() if isinstance(found, Outcome) and found is not TOO_LARGE
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)
def test_an_outcome_is_one_line_but_what_is_said_later_is_nothing_now(outcome: Outcome) -> None:
    line = spell(outcome)
    assert line.count(b"\r\n") == (outcome is not LATER)
    assert line.endswith(b"\r\n") or outcome is LATER
    assert silent(outcome) == b""


def test_no_two_outcomes_are_told_alike() -> None:
    assert len({spell(outcome) for outcome in OUTCOMES}) == len(OUTCOMES) == len(REPLIES)


def test_only_what_the_client_cannot_help_is_the_servers_error() -> None:
    assert [one for one in OUTCOMES if spell(one).startswith(b"SERVER_ERROR")] == [NO_MEMORY]


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_a_number_is_told_in_its_digits(number: int, delta: int) -> None:
    told = Rig().holding(b"%d" % number).engine.decr(b"a", delta)
    assert isinstance(told, bytes)
    assert spell(told) == b"%d\r\n" % max(0, number - delta)
    assert silent(told) == b""


@given(st.binary(max_size=40), st.integers(0, (1 << 32) - 1), st.integers(1, (1 << 62) - 1))
def test_a_value_can_be_cut_out_by_the_length_in_front_of_it(value: bytes, flags: int, unique: int) -> None:
    entry = Entry(make(1, unique), value, flags, NEVER)
    for shown, told in (
        (show(b"a", entry), (flags, len(value))),
        (show_cas(b"a", entry), (flags, len(value), unique)),
    ):
        head, _, rest = shown.partition(b"\r\n")
        assert head.split() == [b"VALUE", b"a", *(b"%d" % number for number in told)]
        assert rest == value + b"\r\n"
