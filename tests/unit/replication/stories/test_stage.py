"""The commands of stories: what each does, and what it will not do."""

from __future__ import annotations

import re

import pytest

from tests.unit.replication import stories
from tests.unit.replication.stories.stage import _VERBS, Stage, WrongCommand


def _told(*commands: str) -> list[str]:
    """What comes of the last of these commands, without its times."""
    stage = Stage()
    lines: list[str] = []
    for command in commands:
        lines = stage.do(command)
    return [line.strip().split("  ", 1)[-1] for line in lines]


def test_every_command_stands_in_the_map_of_the_package() -> None:
    (block,) = (part for part in (stories.__doc__ or "").split("\n\n") if "start N" in part)
    forms = [form for line in re.findall(r"^    (\w.*?)  ", block, re.MULTILINE) for form in line.split(", ")]
    assert {form.split()[0] for form in forms} == {"start", *_VERBS}


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("start", "usage: start N... [of COUNT] [majority]"),
        ("start 1 x", "usage: start N... [of COUNT] [majority]"),
        ("start 1 4 of 3", "nodes are numbered from 1 to 3"),
        ("kill", "usage: kill N"),
        ("kill 1 2", "usage: kill N"),
        ("kill 4", "'4' is no node, as 1 or 2"),
        ("kill one", "'one' is no node, as 1 or 2"),
        ("restart 1", "node 1 runs already"),
        ("thaw 1", "node 1 is not frozen"),
        ("hold 1>1", "'1>1' is no way, as 1>2"),
        ("hold 1>4", "'4' is no node, as 1 or 2"),
        ("cut 1 2|2 3", "a node stands on both sides"),
        ("cut 1 2", "'1' is no way, as 1>2"),
        ("late 1>2", "nothing lies on a former link of this way"),
        ("wait long", "'long' is no number of ms"),
        ("client x get k", "'x' is no client, as 1, 1a or 1@web"),
        ("client 1 set k", "usage: client C set KEY VALUE"),
        ("client 1 cas k v", "usage: client C cas KEY VALUE UNIQUE"),
        ("hang up 1", "there is no client 1 that could: hang up C"),
        ("tell lies", "usage: tell heartbeats|nothing"),
        ("heal 1", "usage: heal"),
        ("agree", "usage: agree K..."),
    ],
)
def test_a_wrong_argument_is_one_clear_error(command: str, error: str) -> None:
    stage = Stage()
    stage.do("start 1 2 3")
    with pytest.raises(WrongCommand) as raised:
        stage.do(command)
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("before", "command", "error"),
    [
        ("kill 1", "kill 1", "node 1 is down"),
        ("kill 1", "client 1 get k", "node 1 is down"),
        ("kill 1", "hold 1>2", "node 1 is down"),
        ("freeze 1", "freeze 1", "node 1 is frozen"),
        ("freeze 1", "tick 1 50", "node 1 is frozen"),
        ("freeze 1", "deliver 2>1", "node 1 is frozen"),
        ("client 1 set k v", "leave 1", "node 1 may not leave yet"),
        ("freeze 1", "agree k", "node 1 is frozen"),
    ],
)
def test_what_cannot_be_now_is_said(before: str, command: str, error: str) -> None:
    with pytest.raises(WrongCommand) as raised:
        _told("start 1 2 3", before, command)
    assert str(raised.value) == error


def test_a_node_may_start_among_some_that_are_down() -> None:
    assert _told("start 1 2 of 3") == ["1 2 are 11.2 serves"]  # after the time of a cold start
    assert _told("start 1 2 of 3", "restart 3", "quietly wait 500", "keys k") == ["'k': at 1 2 3 None"]


def test_nothing_arrives_before_it_is_delivered_and_what_is_held_not_even_then() -> None:
    begun = "start 1 2 3", "client 1 set k v"
    assert _told(*begun, "keys k") == ["'k': at 1 None, pending 'v'; at 2 3 None"]
    assert _told(*begun, "deliver 1>2", "keys k") == ["'k': at 1 2 None, pending 'v'; at 3 None"]
    assert _told(*begun, "hold 1>2", "deliver", "keys k") == ["'k': at 1 3 None, pending 'v'; at 2 None"]
    assert _told(*begun, "hold 1>2", "deliver", "release", "keys k") == ["'k': at 1 2 3 'v'"]
    assert _told(*begun, "hold 1>2", "deliver 1>2", "keys k") == ["'k': at 1 2 None, pending 'v'; at 3 None"]


def test_what_is_said_across_a_cut_is_lost_and_a_process_that_starts_meanwhile_is_cut_off_too() -> None:
    begun = "start 1 2", "cut 1|2", "client 1 set k v", "deliver", "heal"
    assert _told(*begun, "keys k") == ["'k': at 1 None, pending 'v'; at 2 None"]
    assert _told(*begun, "deliver") == []
    assert _told("start 1 2", "cut 1>2", "kill 2", "restart 2", "deliver")[0] == "2>1 (a new link)"


def test_a_client_that_was_hung_up_on_comes_again() -> None:
    stopped = "start 1 2 3", "client 3 get k", "freeze 3", "later 300", "client 3 set k v", "thaw 3"
    assert _told(*stopped) == ["client 3 is hung up on", "3 is 1.1 was_stopped"]
    assert _told(*stopped, "quietly wait 300", "client 3 get k") == ["client 3: END"]


def test_what_a_client_sends_a_frozen_node_is_read_when_it_goes_on() -> None:
    frozen = "start 1 2", "freeze 2", "client 2 set k v"
    assert _told(*frozen, "keys k") == ["'k': at 1 2 None"]
    assert _told(*frozen, "thaw 2", "keys k") == ["'k': at 1 None; at 2 None, pending 'v'"]
    assert _told(*frozen, "kill 2", "keys k") == ["'k': at 1 None"]


def test_a_frozen_node_learns_of_a_death_and_of_a_start_when_it_goes_on() -> None:
    begun = "start 1 2 3", "freeze 3", "kill 2"
    assert _told(*begun, "show 3") == ["3 is 1.1 frozen serves, members 1 2 3, port open"]
    assert _told(*begun, "restart 2", "deliver 2>1", "thaw 3", "wait 200")[-1] == "2 is 3.1 serves"


def test_clients_speak_for_themselves_and_hang_up() -> None:
    begun = "start 1 2", "client 1a add n 5", "deliver"
    assert "client 1a: STORED" in _told(*begun)
    assert "client 1b: 7" in _told(*begun, "client 1b incr n 2", "deliver")
    assert _told(*begun, "hang up 1a", "client 1a get n") == ["client 1a: VALUE n 0 1 / 5 / END"]
    assert _told(*begun, "client 1 cas n 6 1") == ["client 1: EXISTS"]


def test_a_clock_that_is_ahead_stamps_later_versions() -> None:
    told = _told("start 1 2", "clock 1 5000", "client 1 set k v", "show 1")
    assert told[1] == "pending 'k'='v' 1:+5000@1"


def test_a_node_that_asks_for_a_view_gets_one() -> None:
    assert _told("start 1 2", "ask 1", "quietly wait 100") == ["1 2 are 2.1 serves"]
