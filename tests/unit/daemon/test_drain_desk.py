"""What is asked of draining by HTTP; in a whole daemon, which is drained and followed by another one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from memrep.daemon.options import ServeOptions
from memrep.status.service_facts import DRAINED, DRAINING, IN_SERVICE, ServiceStatus
from tests.harness.admin_client import ask, post
from tests.real.processes import until
from tests.unit.daemon.served import PATIENCE_S, Served, connect, is_alive, refuses, serve

FORCE = b'{"force": true, "lame_duck_s": 0, "wait_s": 5}'


def _told(path: Path) -> ServiceStatus:
    status, body = ask(path, "/drain")
    assert status == 200
    return msgspec.json.decode(body, type=ServiceStatus)


def test_a_node_that_was_drained_refuses_and_can_be_asked_and_ends_at_once(
    watched: ServeOptions, socket: Path
) -> None:
    def visit(served: Served) -> None:
        with connect(watched) as client:
            assert is_alive(client)
            assert _told(socket).state == IN_SERVICE
            assert post(socket, "/drain", FORCE)[0] == 200
            client.close()
            until(lambda: _told(socket).state == DRAINED, PATIENCE_S, "it has left")
        assert refuses(watched)
        assert _told(socket).ready is False
        assert ask(socket, "/ready")[1].startswith("leaving: it was drained: `memrep resume`")
        assert ask(socket, "/status")[0] == ask(socket, "/metrics")[0] == 200

    served = serve(watched, visit)
    assert "is drained: `memrep resume` lets it in again\n" in served.log
    assert "asked for by user" in served.log


def test_a_drained_node_ends_for_another_one_to_take_its_place(watched: ServeOptions, socket: Path) -> None:
    def visit(served: Served) -> None:
        until(lambda: _told(socket).ready, PATIENCE_S, "it serves")
        post(socket, "/drain", FORCE)
        until(lambda: _told(socket).state == DRAINED, PATIENCE_S, "it has left")
        served.stopped = True  # nothing else ends it
        post(socket, "/resume")

    assert serve(watched, visit).resumes


def test_a_drain_that_is_taken_back_opens_the_port_again(watched: ServeOptions, socket: Path) -> None:
    order = b'{"force": true, "lame_duck_s": 0, "wait_s": 3000}'

    def visit(served: Served) -> None:
        with connect(watched) as client:
            assert is_alive(client)
            post(socket, "/drain", order)
            until(lambda: refuses(watched), PATIENCE_S, "it refuses others")
            assert _told(socket).state == DRAINING
            assert post(socket, "/resume")[0] == 200
            with connect(watched) as other:
                assert is_alive(other)
            assert is_alive(client)
        assert _told(socket).ready

    assert "serves on, and is not drained: it was taken back\n" in serve(watched, visit).log


def test_it_is_said_why_a_node_may_not_be_drained(watched: ServeOptions, socket: Path) -> None:
    def visit(served: Served) -> None:
        status, why = post(socket, "/drain")
        assert status == 409
        assert "is the only node" in why
        assert _told(socket).state == IN_SERVICE

    serve(watched, visit)


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (b"now", "a DrainOrder as JSON"),
        (b'{"wait_s": "x"}', "a DrainOrder as JSON"),
        (b'{"wait_s": 2, "lame_duck_s": 2}', "2 s in all are too few"),
        (b'{"wait_s": 9, "lame_duck_s": -1}', "too few"),
    ],
)
def test_an_order_without_sense_is_refused_in_a_line(
    order: bytes, says: str, watched: ServeOptions, socket: Path
) -> None:
    def visit(served: Served) -> None:
        status, why = post(socket, "/drain", order)
        assert (status, why.count("\n")) == (400, 1)
        assert says in why

    serve(watched, visit)
