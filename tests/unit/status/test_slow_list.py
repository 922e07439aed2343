"""Slow commands as a table in 80 columns."""

from __future__ import annotations

import msgspec

from memrep.status.slow_facts import SlowListStatus, SlowStatus
from memrep.status.slow_list import slow_lines

NODE = "10.1.1.1:11211"
SLOW = SlowStatus(
    at=1_790_000_000.5,
    ago_s=12.0,
    host="10.9.9.9",
    command="set",
    key="0f1e2d3c4b5a",
    waited_s=0.414,
    waited_for="peers",
    nodes=["10.2.2.2:11211"],
    answered=True,
)
UNKNOWN = msgspec.structs.replace(
    SLOW, ago_s=90.0, host="", command="", key="", waited_s=1.2, waited_for="view", nodes=[], answered=False
)
TOLD = SlowListStatus(node=NODE, limit_s=0.1, commands=[SLOW, UNKNOWN])


def test_each_command_has_a_line_with_what_it_waited_for() -> None:
    assert slow_lines(TOLD).splitlines() == [
        "2 commands waited for 0.1 s or longer at 10.1.1.1:11211",
        "  AGO WAITED CLIENT   COMMAND KEY          FOR",
        " 12 s 0.41 s 10.9.9.9 set     0f1e2d3c4b5a peers 10.2.2.2:11211",
        "1 min 1.20 s (unix)   -       -            closed, view",
    ]


def test_where_there_is_none_that_is_said() -> None:
    nothing = msgspec.structs.replace(TOLD, commands=[])
    assert slow_lines(nothing) == "0 commands waited for 0.1 s or longer at 10.1.1.1:11211"


def test_of_very_many_the_first_are_shown_and_all_lines_fit() -> None:
    evil = "\x1b]0;x\x07" + "h" * 90
    longest = msgspec.structs.replace(
        SLOW, host=evil, command="flush_all", nodes=[evil] * 6, ago_s=1e9, waited_s=3_599.0, answered=False
    )
    lines = slow_lines(msgspec.structs.replace(TOLD, commands=[longest] * 128)).splitlines()
    assert (len(lines), lines[-1]) == (23, "and 108 more; -w json has all")
    assert all(line.isprintable() and len(line) <= 80 for line in lines)
