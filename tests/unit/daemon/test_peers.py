"""Links on loopback: nodes find each other and notice who is gone; no stranger, no silent peer costs much."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest
import trio
import trio.testing

from memrep.addresses import Address
from memrep.daemon.listener import Listener
from memrep.daemon.peers import OutLink, Peers
from memrep.daemon.reactor import Reactor
from memrep.daemon.time_slice import Slice
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.protocol.connection import Connection
from memrep.replication.handshake import NONCE_BYTES, Identity, Incoming, Outgoing
from memrep.replication.membership.timing import Timing
from memrep.replication.message import LeaseGrant
from memrep.replication.wire import encode
from memrep.storage.entry import NEVER
from tests.harness.lone_node import WALL
from tests.real.processes import HOST, NODE_LINK_OFFSET, PortLease

#: Nobody lives there (RFC 5737).
ELSEWHERE = [Address("192.0.2.1", 11211), Address("192.0.2.2", 11211)]


class House:
    """One node without clients, and its links; its port is its own, whatever the list of nodes says."""

    def __init__(self, nodes: list[Address], me: int, port: int, *, strict: bool = False, secret: bytes = b""):
        self.said: list[str] = []
        self.enough: Callable[[], bool] = lambda: False
        self.over = trio.Event()
        self.me, self._others = me, [number for number in range(1, len(nodes) + 1) if number != me]
        options = NodeOptions(
            nodes=[str(node) for node in nodes],
            me=me,
            timing=Timing(fence=NEVER, silence=60_000),  # this machine may be busy
            strict=strict,
            secret=secret,
        )
        now = time.monotonic_ns() // 1_000_000
        self.node = Node(
            options,
            inc=me,
            now=now,
            wall=WALL,
            random_bytes=bytes,
            log=self._note,
        )
        self._listener = Listener(socket.AF_INET, (HOST, port))
        self._listener.listen()
        self.reactor = Reactor(self.node, self, Slice(3_600_000))
        self.peers = Peers(self.node, self.reactor, nodes, [self._listener], [], self._note)

    def unread(self, connection: Connection) -> bool:
        return False

    def fence(self) -> None: ...

    def distrust(self, error: Exception) -> None:
        raise error

    def _note(self, line: str) -> None:
        self.said.append(line)

    def end_turn(self) -> None:
        for number, data in self.node.finish():
            self.peers.send(number, data)
        self.peers.close_superseded()
        if self.enough():
            self.over.set()

    @property
    def members(self) -> list[int]:
        return sorted(self.node.replica.state.view.members)

    async def live(self) -> None:
        """All that a daemon does for its links."""
        self.peers.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.reactor.run)
            for number in self._others:
                nursery.start_soon(self.peers.keep_found, number)
                nursery.start_soon(self.peers.keep_dialled, number)
            while True:
                self.reactor.turn(self.node.tick)
                self.peers.tick()
                await trio.sleep(0.05)

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait for a turn after which this is so."""
        self.enough, self.over = enough, trio.Event()
        with trio.fail_after(30):
            await self.over.wait()

    def close(self) -> None:
        self.peers.give_up()
        self._listener.close()
        self.reactor.close()


class Street:
    """Free ports for nodes, and the houses that have been built there."""

    def __init__(self) -> None:
        self._lease = PortLease(2, offsets=(0, NODE_LINK_OFFSET))
        self.nodes = [Address(HOST, port) for port in sorted(self._lease.ports)]
        self._houses: list[House] = []

    def build(
        self, me: int, nodes: list[Address] | None = None, *, strict: bool = False, secret: bytes = b""
    ) -> House:
        port = self.nodes[me - 1].link_port
        self._houses.append(House(nodes or self.nodes, me, port, strict=strict, secret=secret))
        return self._houses[-1]

    async def knock(self) -> trio.SocketStream:
        """Somebody comes to the first house."""
        return await trio.open_tcp_stream(HOST, self.nodes[0].link_port)

    def close(self) -> None:
        for house in self._houses:
            house.close()
        self._lease.close()


@pytest.fixture
def street() -> Iterator[Street]:
    street = Street()
    yield street
    street.close()


# --- nodes


async def test_nodes_find_each_other_and_who_has_gone_is_left_out_at_once(street: Street) -> None:
    """Its port refuses; its silence would be noticed after a minute."""
    one, other = street.build(1), street.build(2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.live)
        with trio.CancelScope() as process:
            async with trio.open_nursery() as others:
                others.start_soon(other.live)
                await one.until(lambda: one.members == other.members == [1, 2])
                process.cancel()
        other.close()
        await one.until(lambda: one.members == [1])
        nursery.cancel_scope.cancel()


async def test_a_node_that_is_turned_away_is_told_why_and_tells_its_operator(street: Street) -> None:
    one, other = street.build(1), street.build(2, strict=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.live)
        nursery.start_soon(other.live)
        await one.until(lambda: any("turned this node away" in line for line in one.said))
        nursery.cancel_scope.cancel()
    (line,) = [line for line in one.said if "turned this node away" in line]
    assert line.startswith(str(street.nodes[1]))
    assert other.node.options.terms in line
    assert 2 not in one.members


async def test_that_nobody_listens_at_a_peers_port_is_told_once(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memrep.daemon.peers._PATIENCE_S", 0.0)
    monkeypatch.setattr("memrep.daemon.peers._REDIAL_S", 0.0)
    one = street.build(1)
    refused: list[tuple[int, str, bool]] = []
    monkeypatch.setattr(one.node.links, "unreachable", lambda *what: refused.append(what))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.live)
        await one.until(lambda: len(refused) >= 3)
        nursery.cancel_scope.cancel()
    assert set(refused) == {(2, "its port refuses", True)}
    at = f"{street.nodes[1]} on port {street.nodes[1].link_port}"
    assert one.said.count(f"cannot reach {at}: its port refuses") == 1


# --- strangers


async def test_a_stranger_is_told_why_and_turned_away_before_he_has_said_a_word(street: Street) -> None:
    one = street.build(1, ELSEWHERE)
    one.peers.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.reactor.run)
        for _ in range(2):
            async with await street.knock() as stranger:
                heard = Outgoing(Identity(me=2, inc=1, nodes=[]), 1, bytes(NONCE_BYTES))
                assert heard.receive(await stranger.receive_some()) == b""
                assert heard.reason == f"no other node in --nodes has the address {HOST}, from which it calls"
                assert await stranger.receive_some() == b""
        nursery.cancel_scope.cancel()
    (line,) = one.said
    assert HOST in line


async def test_who_does_not_show_in_time_that_he_knows_the_secret_is_closed(
    street: Street, mock_clock: trio.testing.MockClock
) -> None:
    mock_clock.rate = 1
    one = street.build(1, ELSEWHERE, secret=b"s" * 32)
    one.peers.open()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery, await street.knock() as stranger:
            nursery.start_soon(one.reactor.run)
            assert await stranger.receive_some()  # the challenge
            mock_clock.jump(1.6)
            one.peers.tick()
            assert one.said == []
            mock_clock.jump(1.6)
            one.peers.tick()
            assert await stranger.receive_some() == b""
            nursery.cancel_scope.cancel()
    assert one.said == [f"closed a node's link from {HOST}: no greeting in 3 s"]


async def test_of_a_crowd_that_says_nothing_the_oldest_goes_for_the_one_who_comes(street: Street) -> None:
    one = street.build(1, ELSEWHERE, secret=b"s" * 32)
    one.peers.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.reactor.run)
        with trio.fail_after(30):
            crowd = [await street.knock() for _ in range(65)]
            for stranger in crowd:
                assert await stranger.receive_some()
            assert await crowd[0].receive_some() == b""
        for stranger in crowd:
            await stranger.aclose()
        nursery.cancel_scope.cancel()


# --- the link that a node has dialled


class Called:
    """The other end of a link, which hears what it is sent when the test says so."""

    def __init__(self, house: House) -> None:
        options = house.node.options
        self.here, self._sock = socket.socketpair()
        self.here.setblocking(False)
        identity = Identity(me=2, inc=2, nodes=options.nodes, terms=options.terms)
        self._incoming = Incoming(identity, bytes(NONCE_BYTES))
        self.link = OutLink(house.peers, 2, self.here, house.node.links.dialled(2))

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
    monkeypatch.setattr("memrep.daemon.peers.UNSENT_MAX", 1_000_000)
    called = Called(street.build(1))
    called.say()
    called.hear()
    called.say()
    for _ in range(100):
        called.link.send(b"x" * 100_000)
    assert called.link.closed.is_set()
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
    assert called.link.closed.is_set()
    assert called.link.reason == "it closed the link"
    called.link.send(b"x")
    called.link.close("for another reason")
    assert called.link.reason == "it closed the link"
