"""Complaints: each is told once for each host, however often and from wherever strangers come."""

from __future__ import annotations

from memrep.events import Event, Level
from memrep.log_limit import REPEAT_MS, RateLimitedLog, Recurrence

SAID = Event("said", Level.INFO, "{text}")
HAPPENED = Event("happened", Level.INFO, "happened {count} times")


def _limited_log() -> tuple[RateLimitedLog, list[str]]:
    log: list[str] = []
    return RateLimitedLog(log.append), log


def test_the_same_line_about_the_same_host_is_told_once() -> None:
    limited, log = _limited_log()
    for _ in range(3):
        limited.about("10.0.0.9", SAID(text="it knocks"))
        limited.about("10.0.0.9", SAID(text="it shouts"))
    assert log == ["it knocks", "it shouts"]


def test_each_host_is_told_of() -> None:
    limited, log = _limited_log()
    limited.about("10.0.0.8", SAID(text="8 knocks"))
    limited.about("10.0.0.9", SAID(text="9 knocks"))
    assert log == ["8 knocks", "9 knocks"]


def test_who_thinks_of_something_new_each_time_is_soon_ignored() -> None:
    limited, log = _limited_log()
    for n in range(100):
        limited.about("10.0.0.9", SAID(text=f"it sent {n}"))
    assert log == [f"it sent {n}" for n in range(4)]


def test_what_goes_wrong_after_all_was_well_is_news() -> None:
    limited, log = _limited_log()
    limited.about("10.0.0.9", SAID(text="it knocks"))
    limited.settled("10.0.0.9")
    limited.settled("10.0.0.9")
    limited.about("10.0.0.9", SAID(text="it knocks"))
    assert log == ["it knocks"] * 2


def test_only_so_many_hosts_are_remembered_and_the_latest_of_them() -> None:
    limited, log = _limited_log()
    for n in range(5_000):
        limited.about(str(n), SAID(text=f"{n} knocks"))
    assert len(log) == 5_000
    limited.about("4999", SAID(text="4999 knocks"))
    limited.about("4000", SAID(text="4000 knocks"))
    assert len(log) == 5_000
    limited.about("0", SAID(text="0 knocks"))
    assert len(log) == 5_001


def _recurrence() -> tuple[Recurrence, list[str]]:
    lines: list[str] = []
    return Recurrence(lines.append, lambda count: HAPPENED(count=count)), lines


def test_what_begins_to_happen_is_told_at_the_next_tick() -> None:
    recurrence, lines = _recurrence()
    recurrence.tick(0)
    assert lines == []
    recurrence.happened()
    recurrence.happened(2)
    recurrence.tick(50)
    assert lines == ["happened 3 times"]


def test_what_goes_on_happening_is_told_once_a_minute_with_what_has_happened_since() -> None:
    recurrence, lines = _recurrence()
    for now in range(0, 180_000, 50):
        recurrence.happened()
        recurrence.tick(now)
    assert lines == ["happened 1 times", "happened 1200 times", "happened 1200 times"]


def test_the_last_of_them_are_told_too_though_nothing_follows() -> None:
    recurrence, lines = _recurrence()
    recurrence.happened()
    recurrence.tick(0)
    recurrence.happened(5)
    for now in range(0, REPEAT_MS * 5, 50):
        recurrence.tick(now)
    assert lines == ["happened 1 times", "happened 5 times"]
    recurrence.happened()
    recurrence.tick(REPEAT_MS * 5)
    assert lines[2:] == ["happened 1 times"]
