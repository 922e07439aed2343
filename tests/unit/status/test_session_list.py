"""Sessions as a table, and what came of ending some; nothing in a key writes to the terminal."""

from __future__ import annotations

import msgspec

from memrep.status.session_facts import KilledStatus, SessionsStatus, SessionStatus
from memrep.status.session_list import killed_lines, session_lines, totals

NODE = "10.1.1.1:11211"
SESSION = SessionStatus(
    key="memc.sess.key.0123456789abcdef0123456789",
    size=2_048,
    flags=0,
    age_s=12.0,
    unread_s=None,
    left_s=1_428.0,
    locked=True,
)
OTHER = msgspec.structs.replace(SESSION, key="a\x1b]0;x\x07", unread_s=3.0, left_s=None, locked=False)
TOLD = SessionsStatus(node=NODE, total=2, size=4_096, sessions=[SESSION, OTHER])


def test_each_session_has_a_line_and_its_key_is_the_last_of_it() -> None:
    assert session_lines(TOLD).splitlines() == [
        "2 items, 4 KB, at 10.1.1.1:11211",
        "WRITTEN READ ENDS IN SIZE LOCKED KEY",
        "   12 s    -  23 min 2 KB yes    memc.sess.key.0123456789abcdef0123456789",
        "   12 s  3 s       - 2 KB        a?]0;x?",
    ]


def test_of_very_many_the_first_are_shown_and_of_none_the_number() -> None:
    lines = session_lines(msgspec.structs.replace(TOLD, total=5_000, sessions=[SESSION] * 1_000)).splitlines()
    assert (len(lines), lines[-1]) == (23, "and 4,980 more; -w json has all")
    nothing = msgspec.structs.replace(TOLD, total=0, size=0, sessions=[])
    assert session_lines(nothing) == totals(nothing) == "0 items, 0 bytes, at 10.1.1.1:11211"


def test_what_came_of_ending_some_is_told() -> None:
    assert killed_lines(KilledStatus(node=NODE, ended=1_200, locked=0)) == "ended 1,200"
    told = killed_lines(KilledStatus(node=NODE, ended=3, locked=1, missing=["a", "b\x07"], left=2)).splitlines()
    assert told == [
        "ended 3",
        "1 were locked: a page at work may write its session again, so look again",
        "there is no a and b?",
        "2 may be left: 10.1.1.1:11211 does not serve now; ask another node",
    ]
    assert all(len(line) <= 80 for line in told)
