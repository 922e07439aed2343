"""The page of metrics: in the format that is asked for, or with what to install for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import trio

from memrep.daemon.http_exchange import Answer, Request
from memrep.daemon.metrics_page import MetricsPage, warning_of_library
from memrep.status.metric import Gathered
from tests.unit.status.clusters import cluster
from tests.unit.status.test_metrics import FIGURES, PROCESS

PAGE = MetricsPage(lambda: Gathered(cluster(3), FIGURES, PROCESS))


def _told(**headers: str) -> Answer:
    return trio.run(PAGE.tell, Request(method="GET", target="/metrics", headers=headers, body=b""))


def _take_the_library_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "memrep.daemon.exposition", None)


def test_metrics_are_told_in_the_format_that_is_asked_for() -> None:
    answer = _told()
    assert (answer.status, answer.content_type[:10]) == (200, "text/plain")
    assert b"\nmemrep_ready 1.0\n" in answer.body
    assert _told(accept="application/openmetrics-text").body.endswith(b"# EOF\n")
    assert warning_of_library() is None


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    _take_the_library_away(monkeypatch)
    answer = _told()
    assert answer.status == 501
    assert b"pip install prometheus_client" in answer.body
    assert answer.body.count(b"\n") == 1
    assert str(warning_of_library()).startswith("no metrics: prometheus_client is not installed")


def test_a_daemon_does_not_import_the_library_by_itself() -> None:
    code = "import sys, memrep.daemon.serve; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
