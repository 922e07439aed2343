"""The level of the log and a reload are asked for at the admin socket, and who has asked is logged."""

from __future__ import annotations

import os

import msgspec
import trio

from memrep.daemon.http_exchange import Answer, Request
from memrep.daemon.log import Log
from memrep.daemon.log_format import LogFormat
from memrep.daemon.options_desk import OptionsDesk
from memrep.daemon.pages import answer_from
from memrep.status.reloads import Reloaded

CALLER = "user 7, process 8"


async def _reload(who: str) -> Reloaded:
    return Reloaded(["memory"], [who])


def _journal(lines: list[str]) -> Log:
    """A log that keeps its lines."""
    journal = Log(LogFormat(), fd=os.open(os.devnull, os.O_WRONLY))
    journal.log = lines.append  # type: ignore[method-assign, assignment]
    return journal


def _ask(journal: Log, target: str, method: str = "GET", body: bytes = b"") -> Answer:
    desk = OptionsDesk(journal, _reload)
    request = Request(method=method, target=target, headers={}, body=body, caller=CALLER)
    answer = answer_from(desk.pages, desk.acts, request)
    return answer if isinstance(answer, Answer) else trio.run(lambda: answer)


def test_the_level_of_the_log_is_told_and_set_and_who_has_set_it_is_logged() -> None:
    lines: list[str] = []
    journal = _journal(lines)
    assert _ask(journal, "/log").body == b"info\n"
    assert _ask(journal, "/log", "POST", b"error").body == b"error\n"
    assert _ask(journal, "/log").body == b"error\n"
    assert lines == [f"the log tells of level error and above: asked for by {CALLER}"]


def test_a_level_that_there_is_not_changes_nothing() -> None:
    journal = _journal([])
    answer = _ask(journal, "/log", "POST", b"loud")
    assert (answer.status, _ask(journal, "/log").body) == (400, b"info\n")
    assert b"error warning notice info debug" in answer.body


def test_what_has_come_of_options_that_were_read_anew_is_answered() -> None:
    journal = _journal([])
    answer = _ask(journal, "/reload", "POST")
    told = msgspec.json.decode(answer.body, type=Reloaded)
    assert told == Reloaded(["memory"], [f"asked for by {CALLER}"])
    assert _ask(journal, "/reload").status == 405
