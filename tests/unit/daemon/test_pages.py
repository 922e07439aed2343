"""What is told by HTTP: each page is there in every state of the node, and says it in a word for people."""

from __future__ import annotations

import msgspec
import pytest

from memrep.daemon.http_exchange import Answer, Request
from memrep.daemon.pages import Pages
from memrep.status.facts import JOINING, SERVING, WAITING, NodeStatus, Status

OTHER = NodeStatus("10.1.1.1:11211", asked=False, state=SERVING)


def _status(state: str, why: str = "") -> Status:
    me = NodeStatus("10.2.2.2:11211", asked=True, state=state, why=why)
    return Status(
        asked=me.name, at=1.5, view=3, majority=True, strict=False, writes_in_flight=0, nodes=[OTHER, me]
    )


def _metrics(request: Request) -> Answer:
    return Answer(200, "text/plain", b"memrep_ready 1.0\n")


def _front(request: Request) -> Answer:
    return Answer(200, "text/html", b"<!doctype html>")


def _ask(target: str, status: Status | None = None, hindrance: str = "", method: str = "GET") -> Answer:
    def given() -> Status:
        assert status is not None
        return status

    request = Request(method=method, target=target, headers={}, body=b"")
    answer = Pages(given, lambda: hindrance, _front, _metrics).handle(request)
    assert isinstance(answer, Answer)
    return answer


def test_health_asks_nothing_of_the_node() -> None:
    answer = _ask("/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")


def test_a_node_is_ready_that_serves_and_lets_clients_in() -> None:
    answer = _ask("/ready", _status(SERVING))
    assert (answer.status, answer.body) == (200, b"serving\n")


@pytest.mark.parametrize(
    ("status", "hindrance", "line"),
    [
        (_status(JOINING, "fetches from 10.1.1.1:11211"), "", b"joining: fetches from 10.1.1.1:11211\n"),
        (_status(WAITING), "", b"waiting\n"),
        (_status(SERVING), "leaving: was told to stop", b"leaving: was told to stop\n"),
        (_status(WAITING, "no majority"), "leaving: was told to stop", b"waiting: no majority\n"),
    ],
)
def test_a_node_that_is_not_ready_says_why_in_one_line(status: Status, hindrance: str, line: bytes) -> None:
    answer = _ask("/ready", status, hindrance)
    assert (answer.status, answer.body) == (503, line)


@pytest.mark.parametrize("state", [SERVING, JOINING])
def test_the_status_is_told_as_json_whatever_the_state(state: str) -> None:
    answer = _ask("/status", _status(state), "leaving")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert msgspec.json.decode(answer.body, type=Status) == _status(state)


def test_the_page_for_people_is_made_by_who_knows_how() -> None:
    assert _ask("/") == _ask("/?still") == _front(Request(method="GET", target="/", headers={}, body=b""))


def test_metrics_are_told_by_who_knows_them() -> None:
    assert _ask("/metrics") == _metrics(Request(method="GET", target="/metrics", headers={}, body=b""))


@pytest.mark.parametrize(
    "target", ["//", "", "*", "/Status", "/status/", "/healthz.txt", "/clients", "/clients/kill"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_who_asks_for_something_else_and_be_it_the_admin_sockets_is_told_what_there_is(
    target: str, method: str
) -> None:
    answer = _ask(target, method=method)
    assert answer.status == 404
    assert answer.body == b"there is no such page; there are / /healthz /ready /status /metrics\n"


@pytest.mark.parametrize(
    "target", ["/", "/?a", "/healthz", "/ready?verbose", "http://localhost/status", "/metrics"]
)
def test_a_page_is_read_and_nothing_else(target: str) -> None:
    for method in ("GET", "HEAD"):
        assert _ask(target, _status(SERVING), method=method).status == 200
    allowed = (("Allow", "GET, HEAD, OPTIONS"),)
    answer = _ask(target, method="OPTIONS")
    assert (answer.status, answer.headers) == (200, allowed)
    for method in ("POST", "PUT", "DELETE", "TRACE", "get"):
        answer = _ask(target, method=method)
        assert (answer.status, answer.headers) == (405, allowed)
