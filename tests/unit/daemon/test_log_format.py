"""A line is written for people, for the journal, or as JSON, and whatever is in it gets through."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from memrep.daemon.log_format import LogFormat
from memrep.events import EVENTS, NODE_IS, PROBLEM, SERVES_NOT, STDERR_SAID, Event, Line

NOW = datetime(2026, 11, 30, 1, 2, 3, 456_789, tzinfo=UTC)
DOWN = NODE_IS(peer="10.2.2.2", state="down", reason="connection refused")


def _line(event: Event) -> Line:
    return event(**dict.fromkeys(event.fields, 7))


def test_people_read_when_who_and_whether_it_matters() -> None:
    form = LogFormat(node="10.1.1.1:11211", named=True)
    assert form.spell(DOWN, NOW) == (
        b"2026-11-30 01:02:03.456 10.1.1.1:11211 10.2.2.2 is down: connection refused\n"
    )
    assert LogFormat().spell(SERVES_NOT(reason="it stops"), NOW) == (
        b"2026-11-30 01:02:03.456 warning: serves no clients: it stops\n"
    )


def test_the_journal_is_told_the_priority_and_knows_the_time() -> None:
    form = LogFormat(node="10.1.1.1:11211", journal=True)
    assert form.spell(DOWN, NOW) == b"<5>10.2.2.2 is down: connection refused\n"
    assert form.spell(SERVES_NOT(reason="it stops"), NOW) == b"<4>serves no clients: it stops\n"


def test_a_program_reads_one_object_with_what_is_known() -> None:
    told = LogFormat(node="10.1.1.1:11211", json=True).spell(DOWN, NOW)
    assert json.loads(told) == {
        "ts": "2026-11-30T01:02:03.456Z",
        "level": "notice",
        "event": "node-is",
        "node": "10.1.1.1:11211",
        "message": "10.2.2.2 is down: connection refused",
        "peer": "10.2.2.2",
        "state": "down",
        "reason": "connection refused",
    }


def test_json_in_the_journal_has_its_priority_in_front() -> None:
    told = LogFormat(json=True, journal=True).spell(DOWN, NOW)
    assert told.startswith(b'<5>{"ts":')


def test_lists_stay_lists() -> None:
    line = PROBLEM(length="1 min", seconds=60.0, problem="two are down", remedy="start them", nodes=["b", "c"])
    told = json.loads(LogFormat(json=True).spell(line, NOW))
    assert (told["seconds"], told["nodes"]) == (60.0, ["b", "c"])


@pytest.mark.parametrize("text", ["\udc80 is no text", "two\nlines", "\x00", '"'])
@pytest.mark.parametrize("form", [LogFormat(), LogFormat(json=True), LogFormat(journal=True)], ids=str)
def test_whatever_others_have_sent_gets_through(text: str, form: LogFormat) -> None:
    told = form.spell(STDERR_SAID(text=text), NOW)
    assert told.endswith(b"\n") and told.decode()
    if form.json:
        assert told.count(b"\n") == 1
        assert json.loads(told)["event"] == "stderr"


@pytest.mark.parametrize("event", EVENTS.values(), ids=list(EVENTS))
def test_every_event_can_be_written(event: Event) -> None:
    for form in (LogFormat(), LogFormat(journal=True)):
        assert form.spell(_line(event), NOW).endswith(b"\n")
    told = json.loads(LogFormat(json=True).spell(_line(event), NOW))
    assert (told["event"], told["level"]) == (event.name, event.level.word)
