"""In which way a port does not answer is told, for each way has its own cause."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from memrep.doctor.finding import Finding
from memrep.doctor.outward import outward
from memrep.replication.handshake import Incoming
from tests.real.processes import HOST, NODE_LINK_OFFSET, PortLease
from tests.unit.doctor.street import NONCE, answers, identity, pair


@contextmanager
def _two() -> Iterator[list[int]]:
    with closing(PortLease(2, offsets=(0, NODE_LINK_OFFSET))) as lease:
        yield sorted(lease.ports)


def _look(ports: list[int]) -> list[Finding]:
    nodes = pair(ports)
    return [finding for _, finding in outward(identity(nodes, 1), nodes, ())]


def _greets(caller: socket.socket) -> None:
    nodes = pair([1, 2])
    caller.sendall(Incoming(identity(nodes, 2), NONCE).unsaid)
    assert caller.recv(1) == b"", "nothing is said to it"


def _is_another_program(caller: socket.socket) -> None:
    caller.sendall(b"220 mail.example.org ESMTP\r\n")


def _is_silent_after_all(caller: socket.socket) -> None:
    assert caller.recv(1) == b""


def _hangs_up(caller: socket.socket) -> None:
    pass


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        (_greets, "ok", "answers"),
        (_is_another_program, "wrong", "is not a memrep node"),
        (_is_silent_after_all, "wrong", "is not a memrep node"),
        (_hangs_up, "wrong", "hangs up on this machine, which it does not take for one of its nodes"),
    ],
)
def test_what_answers_at_the_nodes_port_is_told(
    answer: Callable[[socket.socket], None], verdict: str, said: str
) -> None:
    with _two() as ports, answers(ports[1] + NODE_LINK_OFFSET, answer), answers(ports[1], _hangs_up):
        link, clients = _look(ports)
    assert link.verdict == verdict
    assert link.text == f"{HOST}:{ports[1]} for nodes (port {ports[1] + NODE_LINK_OFFSET}) {said}"
    assert (clients.verdict, clients.text) == ("ok", f"{HOST}:{ports[1]} for clients answers")


def test_a_port_that_refuses_is_a_note_for_that_node_may_not_run_yet() -> None:
    with _two() as ports:
        link, clients = _look(ports)
    assert (link.verdict, clients.verdict) == ("note", "note")
    assert "its port refuses; no node serves there, or a firewall rejects this machine" in link.text


def test_a_port_that_is_silent_is_told_with_its_firewall() -> None:
    with _two() as ports, ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind((HOST, ports[1]))
        silent.listen(0)
        for _ in range(3):  # its queue is full now, and the kernel drops who comes next
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex((HOST, ports[1]))
        _, clients = _look(ports)
    assert clients.verdict == "wrong"
    assert clients.text == f"{HOST}:{ports[1]} for clients: it does not answer"
    assert f"let its firewall admit this machine to port {ports[1]}" in clients.remedy
