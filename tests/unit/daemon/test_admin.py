"""What only the admin socket tells, and does: it has all other pages besides."""

from __future__ import annotations

import msgspec
import pytest

from memrep.daemon.admin import Admin
from memrep.daemon.http_exchange import Answer, Handle, Request, one_line
from memrep.daemon.pages import Pages
from memrep.events import Tell
from memrep.status.client_facts import ClientsStatus
from tests.unit.status.clusters import cluster
from tests.unit.status.test_client_facts import TOLD


def _said(what: str) -> Handle:
    return lambda request: one_line(200, what)


class _Desk:
    """A desk with a page and an act."""

    def __init__(self) -> None:
        self.pages = {"/page": _said("page")}
        self.acts = {"/act": _said("act")}


def _ask(
    target: str,
    method: str = "GET",
    body: bytes = b"",
    caller: str = "somebody",
    log: Tell = print,
) -> Answer:
    pages = Pages(lambda: cluster(3), lambda: "", _said("front"), _said("metrics"))
    admin = Admin(pages, lambda: TOLD, {"10.1.1.1": 2}.get, log, [_Desk()])  # type: ignore[arg-type]
    answer = admin.handle(Request(method=method, target=target, headers={}, body=body, caller=caller))
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.parametrize("target", ["/", "/healthz", "/ready", "/status", "/metrics", "/clients"])
def test_what_is_told_to_everybody_is_told_here_and_more(target: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert _ask(target, method).status == 200
    assert dict(_ask(target, "POST").headers)["Allow"] == "GET, HEAD, OPTIONS"


def test_who_asks_for_something_else_is_told_what_there_is() -> None:
    answer = _ask("/nothing")
    assert answer.status == 404
    assert answer.body.endswith(
        b"there are / /healthz /ready /status /metrics /clients /page /clients/kill /act\n"
    )


def test_the_clients_are_told_as_json() -> None:
    assert msgspec.json.decode(_ask("/clients").body, type=ClientsStatus) == TOLD


def test_who_hangs_up_on_clients_is_logged() -> None:
    lines: list[str] = []
    answer = _ask("/clients/kill", "POST", b"10.1.1.1\n", "user 7, process 8", lines.append)
    assert (answer.status, answer.body) == (200, b"2\n")
    assert lines == ["hangs up on 2 clients of '10.1.1.1': asked for by user 7, process 8"]


def test_whom_to_hang_up_on_must_be_said() -> None:
    assert _ask("/clients/kill", "POST", b" ").status == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_anything_is_not_done_by_looking_at_it(method: str) -> None:
    answer = _ask("/clients/kill", method)
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "POST")


def test_what_a_desk_has_is_there_as_well() -> None:
    assert _ask("/page").body == b"page\n"
    assert _ask("/act", "POST").body == b"act\n"
    assert _ask("/act").status == 405
