"""The page for people: as it is made, with what a browser may do with it, and loaded when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import trio

from memrep.daemon.front_page import FrontPage
from memrep.daemon.http_exchange import Answer, Request
from tests.unit.page.hours import busy_hour
from tests.unit.status.clusters import cluster


def _ask(target: str, hindrance: str = "") -> Answer:
    page = FrontPage(lambda: cluster(3), busy_hour, lambda: hindrance)
    return trio.run(page.tell, Request(method="GET", target=target, headers={}, body=b""))


def test_the_cluster_is_shown_as_it_is() -> None:
    answer = _ask("/", "leaving: was told to stop")
    assert (answer.status, answer.content_type) == (200, "text/html; charset=utf-8")
    page = answer.body.decode()
    assert "3 of 3 nodes serve; nothing is wrong." in page
    assert "lets no new clients in: leaving: was told to stop" in page
    assert "Content-Security-Policy" in dict(answer.headers)


def test_it_holds_still_for_whoever_asks_for_that() -> None:
    assert "Refresh" in dict(_ask("/").headers)
    assert "Refresh" in dict(_ask("/?instill").headers)
    assert "Refresh" not in dict(_ask("/?still").headers)
    assert "Refresh" not in dict(_ask("/?a=b&still").headers)


def test_a_daemon_does_not_load_what_makes_it_by_itself() -> None:
    code = "import sys, memrep.daemon.serve; sys.exit('memrep.page' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
