"""Locks as a table, in 80 columns; nothing that a client chooses can write to the terminal."""

from __future__ import annotations

import msgspec

from memrep.status.lock_facts import LocksStatus, LockStatus
from memrep.status.lock_list import lock_lines

LOCK = LockStatus(
    session="0f1e2d3c4b5a",
    node="10.1.1.1:11211",
    holder="10.1.1.1:40000",
    age_s=12.0,
    left_s=18.0,
    waiting=3,
    in_doubt=False,
    maybe=False,
)
ELSEWHERE = msgspec.structs.replace(LOCK, node="10.2.2.2:11211", holder="", age_s=2.0, waiting=0, maybe=True)
LOST = msgspec.structs.replace(LOCK, node="", holder="", left_s=0.5, waiting=0, in_doubt=True)
TOLD = LocksStatus(node="10.1.1.1:11211", total=3, waiting=3, locks=[LOCK, ELSEWHERE, LOST])


def test_each_lock_has_a_line_with_who_holds_it_and_who_waits() -> None:
    assert lock_lines(TOLD).splitlines() == [
        "3 locks held, 3 wait at 10.1.1.1:11211",
        "SESSION      HELD ENDS IN WAIT NODE           HOLDER",
        "0f1e2d3c4b5a 12 s    18 s    3 10.1.1.1:11211 10.1.1.1:40000",
        "0f1e2d3c4b5a  2 s    18 s    0 10.2.2.2:11211 -              perhaps",
        "0f1e2d3c4b5a 12 s     0 s    0 nobody's       -              in doubt",
    ]


def test_where_there_is_none_that_is_said() -> None:
    assert lock_lines(msgspec.structs.replace(TOLD, total=0, waiting=0, locks=[])) == (
        "0 locks held, 0 wait at 10.1.1.1:11211"
    )


def test_of_very_many_the_first_are_shown() -> None:
    lines = lock_lines(msgspec.structs.replace(TOLD, total=5_000, locks=[LOCK] * 1_000)).splitlines()
    assert (len(lines), lines[-1]) == (23, "and 4,980 more; -w json has all")


def test_the_longest_names_fit_and_none_writes_to_the_terminal() -> None:
    evil = "\x1b]0;x\x07" + "k" * 250
    longest = msgspec.structs.replace(LOCK, node=evil, holder=evil, age_s=1e9, left_s=None, in_doubt=True)
    lines = lock_lines(msgspec.structs.replace(TOLD, locks=[longest, ELSEWHERE])).splitlines()
    assert all(line.isprintable() and len(line) <= 80 for line in lines)


def test_a_key_that_is_asked_for_is_shown_as_a_whole() -> None:
    """However wide the table becomes: half of one is of no use."""
    key = "memc.sess.key." + "0" * 26 + "\x1b"
    told = msgspec.structs.replace(TOLD, keys=True, locks=[msgspec.structs.replace(LOCK, session=key)])
    assert "memc.sess.key." + "0" * 26 + "? " in lock_lines(told)
