"""One link's socket: what is sent before the welcome waits, and a peer that does not read costs little."""

from __future__ import annotations

import socket

import pytest

from memrep.daemon.peer_links import InLink, OutLink
from memrep.replication.handshake import NONCE_BYTES, Identity, Incoming, Outgoing
from memrep.replication.message import LeaseGrant
from memrep.replication.wire import encode
from tests.unit.daemon.street import House, Street


class Called:
    """The other end of a link, which hears what it is sent when the test says so."""

    def __init__(self, house: House) -> None:
        options = house.node.options
        self.here, self._sock = socket.socketpair()
        self.here.setblocking(False)
        identity = Identity(me=2, inc=2, nodes=options.nodes, terms=options.terms)
        self._incoming = Incoming(identity, bytes(NONCE_BYTES))
        self.link = OutLink(house.reactor, house.node.links, 2, self.here)

    def say(self) -> None:
        """Its part of the greeting."""
        self._sock.send(self._incoming.unsaid)
        self._incoming.unsaid = b""
        self.link.ready(1)

    def hear(self) -> list[object]:
        return list(self._incoming.receive(self._sock.recv(1 << 20)))

    def close(self) -> None:
        self._sock.close()
        self.link.close("")


MESSAGES = [LeaseGrant(1, number) for number in range(3)]


async def test_what_is_sent_before_a_peer_has_welcomed_this_node_comes_behind_the_greeting(
    street: Street,
) -> None:
    called = Called(street.build(1))
    for message in MESSAGES[:2]:
        called.link.send(encode(message))
    assert not called.link.sending
    called.say()
    assert called.hear() == []
    called.say()
    called.link.send(encode(MESSAGES[2]))
    assert called.hear() == MESSAGES
    called.close()


async def test_a_peer_that_does_not_read_costs_a_bounded_amount(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memrep.daemon.peer_links.UNSENT_MAX", 1_000_000)
    called = Called(street.build(1))
    called.say()
    called.hear()
    called.say()
    for _ in range(100):
        called.link.send(b"x" * 100_000)
    assert called.link.closed
    assert called.link.reason.startswith("it has not read 1")
    assert called.here.fileno() < 0
    called.close()


async def test_a_link_that_breaks_is_closed_and_says_why_and_takes_nothing_more(street: Street) -> None:
    house = street.build(1)
    called = Called(house)
    called.close()
    called = Called(house)
    called._sock.close()
    called.link.ready(1)
    assert called.link.closed
    assert called.link.reason == "it closed the link"
    called.link.send(b"x")
    called.link.close("for another reason")
    assert called.link.reason == "it closed the link"


# --- the link that a peer has dialled


class Calling:
    """The other end of a link that was accepted; keeps that link, too."""

    def __init__(self, house: House) -> None:
        options = house.node.options
        self.peers: list[int] = []
        self.forgotten = 0
        here, self.sock = socket.socketpair()
        here.setblocking(False)
        identity = Identity(me=2, inc=2, nodes=options.nodes, terms=options.terms)
        self.outgoing = Outgoing(identity, 1, bytes(NONCE_BYTES))
        self.link = InLink(self, house.reactor, house.node.links, here, "10.0.0.2:1")

    def greeted(self, link: InLink, node: int) -> None:
        self.peers.append(node)

    def forget(self, link: InLink) -> None:
        self.forgotten += 1

    def greet(self) -> None:
        """Its part of the greeting."""
        self.sock.sendall(self.outgoing.receive(self.sock.recv(1 << 16)))
        self.link.ready(1)

    def close(self) -> None:
        self.sock.close()
        self.link.close()


async def test_who_has_greeted_is_told_to_the_owner_once_and_welcomed(street: Street) -> None:
    calling = Calling(street.build(1))
    assert calling.peers == []
    calling.greet()
    assert calling.peers == [2]
    calling.outgoing.receive(calling.sock.recv(1 << 16))
    assert calling.outgoing.welcome
    calling.sock.sendall(encode(MESSAGES[0]))
    calling.link.ready(1)
    assert calling.peers == [2]
    calling.close()


async def test_a_link_whose_other_end_is_closed_is_forgotten_once(street: Street) -> None:
    calling = Calling(street.build(1))
    calling.sock.close()
    calling.link.ready(1)
    calling.link.close()
    assert calling.forgotten == 1


async def test_what_there_is_no_time_for_is_asked_for_in_the_next_turn_though_nothing_comes(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = street.build(1)
    calling = Calling(house)
    calling.greet()
    again: list[int] = []
    monkeypatch.setattr(house.reactor, "again", again.append)
    calling.link.link.unread.extend(MESSAGES)
    monkeypatch.setattr(house.node.links, "go_on", lambda link: link.unread.popleft())
    for left in (2, 1, 0):
        calling.link.ready(0)
        assert len(calling.link.link.unread) == left
    assert len(again) == 2
    calling.close()
