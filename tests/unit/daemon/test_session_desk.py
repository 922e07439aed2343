"""Sessions at the admin socket of a whole daemon: found, shown, ended, and each end of some is logged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from memrep.daemon.options import ServeOptions
from memrep.node.node import Node
from memrep.status.session_facts import KilledStatus, KillOrder, SessionsStatus
from tests.harness.admin_client import ask, post
from tests.unit.daemon.served import Served, connect, serve

SID = "0123456789abcdef0123456789"
KEY = f"memc.sess.key.{SID}"


def _told(path: Path, target: str) -> SessionsStatus:
    status, body = ask(path, target)
    assert status == 200, body
    return msgspec.json.decode(body, type=SessionsStatus)


def _killed(path: Path, order: KillOrder) -> KilledStatus:
    status, body = post(path, "/sessions/kill", msgspec.json.encode(order))
    assert status == 200, body
    return msgspec.json.decode(body, type=KilledStatus)


def _store(options: ServeOptions, count: int, value: bytes = b"user|i:42;") -> None:
    with connect(options) as client:
        for n in range(count):
            client.sendall(b"set %s%d 0 0 %d noreply\r\n%s\r\n" % (KEY.encode(), n, len(value), value))
        client.sendall(b"mn\r\n")
        assert client.recv(100) == b"MN\r\n"


def test_sessions_are_found_counted_and_shown(watched: ServeOptions, socket: Path) -> None:
    def visit(served: Served) -> None:
        _store(watched, 3)
        found = _told(socket, f"/sessions/find?prefix={SID[:5]}")
        assert [one.key for one in found.sessions] == [f"{KEY}{n}" for n in range(3)]
        assert (found.total, found.size) == (3, 30)
        assert all(one.value is None for one in found.sessions)
        counted = _told(socket, "/sessions/count?match=i%3a42")
        assert (counted.total, counted.size, counted.sessions) == (3, 30, [])
        (shown,) = _told(socket, f"/sessions/show?id={SID}1&value=1").sessions
        assert (shown.key, shown.value, shown.left_s) == (f"{KEY}1", b"user|i:42;", None)
        assert _told(socket, "/sessions/show?id=nobody").total == 0
        assert ask(socket, "/sessions/count")[0] == 400

    assert "asked for" not in serve(watched, visit).log


def test_those_that_are_named_are_ended_and_those_that_hold_what_is_given(
    watched: ServeOptions, socket: Path
) -> None:
    def visit(served: Served) -> None:
        _store(watched, 100)
        named = _killed(socket, KillOrder(ids=[f"{SID}1", f"{KEY}2", "nobody"]))
        assert (named.ended, named.missing, named.left) == (2, ["nobody"], 0)
        assert _told(socket, "/sessions/find").total == 98
        assert _killed(socket, KillOrder(match=b"i:7;")).ended == 0
        assert _killed(socket, KillOrder(match=b"i:42;", prefix="shop:")).ended == 0
        assert _killed(socket, KillOrder(match=b"i:42;")).ended == 98
        assert _told(socket, "/sessions/find").total == 0

    lines = [line for line in serve(watched, visit).log.splitlines() if "asked for by user" in line]
    assert len(lines) == 4
    assert "ends 2 sessions that were named: asked for by user" in lines[0]
    assert "ends 98 sessions whose values hold 5 bytes" in lines[3]
    assert not any(SID in line for line in lines)


def test_a_session_that_is_locked_is_told_as_such(watched: ServeOptions, socket: Path) -> None:
    def visit(served: Served) -> None:
        _store(watched, 1)
        with connect(watched) as client:
            client.sendall(b"add memc.sess.key.lock.%s0 0 30 1\r\n1\r\n" % SID.encode())
            assert client.recv(100) == b"STORED\r\n"
            assert _told(socket, "/sessions/find").sessions[0].locked
            assert (_killed(socket, KillOrder(ids=[f"{SID}0"])).locked) == 1

    serve(watched, visit)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ids": ["a"], "match": "YQ=="}', b'{"ids": 1}'])
def test_an_order_that_does_not_say_which_is_refused(body: bytes, watched: ServeOptions, socket: Path) -> None:
    def visit(served: Served) -> None:
        connect(watched).close()
        status, why = post(socket, "/sessions/kill", body)
        assert (status, why.count("\n")) == (400, 1)

    serve(watched, visit)


def test_a_node_that_may_not_serve_tells_nothing_that_may_be_old(
    watched: ServeOptions, socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def visit(served: Served) -> None:
        _store(watched, 1)
        with monkeypatch.context() as patch:
            patch.setattr(Node, "serving", property(lambda node: False))
            for target in ("find", "count?match=a", f"show?id={SID}0"):
                status, why = ask(socket, f"/sessions/{target}")
                assert status == 409
                assert "ask another one" in why
            assert post(socket, "/sessions/kill", b'{"ids": ["a"]}')[0] == 409

    serve(watched, visit)
