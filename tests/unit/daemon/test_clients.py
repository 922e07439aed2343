"""All clients on loopback: who is let in, who has to leave, and that those who leave hear an end."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest
import trio

from memrep.daemon.client import Client
from memrep.daemon.clients import spell
from memrep.daemon.reactor import READ
from memrep.protocol.connection import Connection
from memrep.protocol.resp import server
from memrep.protocol.resp.execution import MOMENT
from tests.real.processes import HOST
from tests.unit.daemon.house import DOWN, Guest, House, comes, hears, open_house
from tests.unit.php import story


async def test_who_is_one_too_many_is_hung_up_on_without_a_word_until_another_goes() -> None:
    async with open_house(limit=1) as house:
        house.open()
        first, second = await house.connect(), await house.connect()
        assert await first.ask(b"mn\r\n") == b"MN\r\n"
        assert await second.hears_the_end()
        assert len(house.clients) == house.node.counters.rejected_connections == 1
        await first.ask(b"mn\r\n")
        await first.stream.send_all(b"quit\r\n")
        assert await first.hears_the_end()
        third = await house.connect()
        assert await third.ask(b"mn\r\n") == b"MN\r\n"


@pytest.mark.parametrize("verbose", [True, False])
async def test_that_a_client_comes_or_goes_is_told_only_where_that_is_wanted(verbose: bool) -> None:
    async with open_house() as house:
        house.clients._verbose = lambda: verbose
        house.open()
        guest = await house.connect()
        await guest.ask(b"mn\r\n")
        house.clients.make_room()
        assert await guest.hears_the_end()
        told = [line.partition(": ")[2] for line in house.said]
        assert told == ["connected", "no file descriptor left"] * verbose


async def test_when_no_descriptor_is_left_the_oldest_client_goes() -> None:
    async with open_house() as house:
        house.open()
        first, second = await house.connect(), await house.connect()
        for guest in (first, second):
            assert await guest.ask(b"mn\r\n") == b"MN\r\n"
        house.clients.make_room()
        assert await second.ask(b"mn\r\n") == b"MN\r\n"
        assert len(house.clients) == 1


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (lambda house, client: house.clients.make_room(), b"1"),
        (lambda house, client: house.clients.kill(HOST), b"1"),
        (lambda house, client: house.clients.failed(client, ValueError("a test")), b"1"),
        (lambda house, client: house.clients.close(client, "it hung up"), b"0"),
    ],
    ids=["no descriptor left", "an operator", "a fault", "the client itself"],
)
async def test_whom_this_node_hangs_up_on_keeps_its_lock_for_it_may_go_on_at_another_one(
    end: Callable[[House, Client], object], left: bytes
) -> None:
    async with open_house() as house:
        house.open()
        holder = await house.connect()
        assert await holder.ask(story.ASK + story.ADD + story.READ, b"END\r\n") == story.GRANTED
        (client,) = house.clients._clients.values()
        end(house, client)
        house.reactor.turn(house.node.tick)
        other = await house.connect()
        assert await other.ask(b"get s.lock\r\n", b"END\r\n") == b"VALUE s.lock 768 1\r\n%b\r\nEND\r\n" % left


async def test_when_all_are_hung_up_on_they_hear_an_end_and_may_come_again() -> None:
    async with open_house() as house:
        house.open()
        guests = [await house.connect() for _ in range(3)]
        for guest in guests:
            await guest.ask(b"mn\r\n")
        house.clients.close_all()
        assert len(house.clients) == 0
        for guest in guests:
            assert await guest.hears_the_end()
        assert await (await house.connect()).ask(b"mn\r\n") == b"MN\r\n"


async def test_not_all_who_leave_at_once_are_let_go_in_one_turn_that_has_no_time_for_it() -> None:
    async with open_house() as house:
        house.open()
        guests = [await house.connect() for _ in range(5)]
        for guest in guests:
            await guest.ask(b"mn\r\n")
        house.reactor._part.length = 0.0
        before = house.reactor.cut_short
        for guest in guests:
            guest.stream.socket.close()
        while len(house.clients):
            await trio.sleep(0)
        assert house.reactor.cut_short > before


async def test_what_a_client_has_sent_or_that_it_has_hung_up_is_seen_before_it_is_read() -> None:
    async with open_house() as house:
        house.open()
        guest = await house.connect()
        await guest.ask(b"mn\r\n")
        (connection,) = house.node.clients
        assert not house.clients.unread(connection)
        os.write(guest.stream.socket.fileno(), b"mn\r\n")  # without giving the reactor its turn
        assert house.clients.unread(connection)
        assert await guest.hear(b"\r\n") == b"MN\r\n"
        assert not house.clients.unread(connection)
        guest.stream.socket.close()
        assert house.clients.unread(connection)


async def test_each_socket_is_described_as_memcached_does() -> None:
    async with open_house() as house:
        house.open()
        guest = await house.connect()
        await guest.ask(b"mn\r\n")
        told = dict(house.clients.describe())
        host, port = guest.stream.socket.getsockname()
        (number,) = {name.partition(":")[0] for name, value in told.items() if value == f"tcp:{host}:{port}"}
        assert told[f"{number}:listen_addr"] == f"tcp:{HOST}:{house.port}"
        assert told[f"{number}:state"] == "conn_parse_cmd"


@pytest.mark.parametrize(
    ("address", "spelled"),
    [
        (("10.0.0.1", 11211), "tcp:10.0.0.1:11211"),
        (("::1", 11211, 0, 0), "tcp6:[::1]:11211"),
        ("/run/memrep.sock", "unix:/run/memrep.sock"),
    ],
)
def test_addresses_are_spelled_as_memcached_spells_them(address: object, spelled: str) -> None:
    assert spell(address) == spelled


# --- what a Redis Cluster's clients are told


async def test_who_is_one_too_many_is_told_when_it_says_something() -> None:
    async with open_house(limit=1) as house:
        house.open()
        await house.connect(house.redis_port)
        async with comes(house.redis_port) as client:
            await client.send_all(b"GET a\r\n")
            assert await hears(house, client) == DOWN
        async with comes(house.redis_port) as client:
            assert await hears(house, client) == b""


async def test_when_all_are_hung_up_on_who_has_said_something_is_told_and_who_has_not_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_HOLD_S", 0.5)  # this machine may be busy
    async with open_house() as house:
        house.open()
        asking, idle = await house.connect(house.redis_port), await house.connect(house.redis_port)
        for guest in (asking, idle):
            assert await guest.ask(b"PING\r\n") == b"+PONG\r\n"
        house.clients.close_all()
        await asking.stream.send_all(b"GET a\r\n")
        assert await hears(house, asking.stream) == DOWN
        assert await hears(house, idle.stream) == b""


async def test_in_the_midst_of_a_reply_nobody_is_told_anything_else() -> None:
    async with open_house() as house:
        house.open()
        house.takes_little_at_once()
        guest = await house.connect(house.redis_port)
        guest.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        value = bytes(1_000_000)
        assert await guest.ask(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\n%b\r\n" % value) == b"+OK\r\n"
        await guest.stream.send_all(b"GET a\r\n")
        other = await house.connect()
        while "conn_mwrite" not in dict(house.clients.describe()).values():
            await other.ask(b"mn\r\n")
        house.clients.close_all()
        told = b""
        with trio.move_on_after(0.1):
            while True:
                told += await guest.stream.receive_some()
        await guest.stream.send_all(b"PING\r\n")
        told += await hears(house, guest.stream)
        assert told.startswith(b"$1000000\r\n")
        assert b"CLUSTERDOWN" not in told


async def test_who_says_something_when_the_process_was_stopped_is_told() -> None:
    async with open_house() as house:
        house.open()
        guest = await house.connect(house.redis_port)
        assert await guest.ask(b"PING\r\n") == b"+PONG\r\n"
        (client,) = house.clients._clients.values()
        client._stopped = lambda: True
        await guest.stream.send_all(b"GET a\r\n")
        assert await hears(house, guest.stream) == DOWN


async def test_who_meets_a_fault_of_our_own_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_house() as house:
        house.open()
        guest = await house.connect(house.redis_port)
        assert await guest.ask(b"PING\r\n") == b"+PONG\r\n"
        monkeypatch.setattr(Connection, "receive", lambda connection, data: 1 // 0)
        await guest.stream.send_all(b"GET a\r\n")
        assert await hears(house, guest.stream) == DOWN


# --- who keeps his connection: Redis' clients

LONG_S = 3_600.0


async def _long_quiet(house: House) -> tuple[Guest, Client]:
    """A client of Redis of which nothing has come for long."""
    guest = await house.connect(house.redis_port)
    assert await guest.ask(b"PING\r\n") == b"+PONG\r\n"
    (client,) = (one for one in house.clients._clients.values() if one.connection.hold_s)
    client.heard -= LONG_S
    return guest, client


async def _long_in_a_command(house: House) -> tuple[Guest, Client]:
    """One that has waited for long for the end of what it has asked for: the node has much else to do."""
    guest, client = await _long_quiet(house)
    client._spent = client.connection.spent = lambda: True
    os.write(
        guest.stream.socket.fileno(),
        b"MSET%b\r\n" % b"".join(b" key%d x" % number for number in range(2 * MOMENT)),
    )
    house.reactor.turn(lambda: client.ready(READ))  # and the reactor has no other
    client.heard -= LONG_S
    return guest, client


async def test_who_rests_is_hung_up_on_and_whose_word_lies_in_the_socket_is_answered_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_HOLD_S", LONG_S)
    async with open_house() as house:
        house.open()
        guest, client = await _long_quiet(house)
        os.write(guest.stream.socket.fileno(), b"PING\r\n")
        house.reactor.turn(house.clients.part_from_resting)
        assert await guest.hear(b"\r\n") == b"+PONG\r\n"
        house.reactor.turn(house.clients.part_from_resting)
        assert len(house.clients) == 1
        client.heard -= LONG_S
        house.reactor.turn(house.clients.part_from_resting)
        assert await guest.hears_the_end()
        assert len(house.clients) == 0


async def test_who_is_in_the_midst_of_a_command_does_not_rest_however_long_it_takes() -> None:
    async with open_house() as house:
        house.open()
        guest, _ = await _long_in_a_command(house)
        house.reactor.turn(house.clients.part_from_resting)
        for _ in range(20):
            house.reactor.turn(house.node.tick)
        assert await guest.ask(b"PING\r\n", b"+PONG\r\n") == b"+OK\r\n+PONG\r\n"


async def test_who_still_reads_a_reply_does_not_rest_and_what_it_says_next_is_answered() -> None:
    async with open_house() as house:
        house.open()
        house.takes_little_at_once()
        guest, client = await _long_quiet(house)
        guest.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        value = bytes(1_000_000)
        assert await guest.ask(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\n%b\r\n" % value) == b"+OK\r\n"
        await guest.stream.send_all(b"GET a\r\n")
        other = await house.connect()
        while client.state != "conn_mwrite":
            await other.ask(b"mn\r\n")
        client.heard -= LONG_S
        house.reactor.turn(house.clients.part_from_resting)
        assert await guest.ask(b"PING\r\n", b"+PONG\r\n") == b"$1000000\r\n%b\r\n+PONG\r\n" % value


async def test_who_has_been_quiet_for_long_hears_the_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said between the hang-up and the end of its connection would be lost."""
    monkeypatch.setattr(server, "_HOLD_S", LONG_S)
    async with open_house() as house:
        house.open()
        guest, _ = await _long_quiet(house)
        house.clients.close_all()
        with trio.fail_after(5):
            assert await guest.hears_the_end()


async def test_who_has_waited_for_long_hears_the_word_at_once_and_the_end_no_sooner_than_it_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that meets the end before it looks for the reply asks again, and waits for nobody's answer."""
    monkeypatch.setattr(server, "_HOLD_S", LONG_S)
    async with open_house() as house:
        house.open()
        guest, _ = await _long_in_a_command(house)
        house.clients.close_all()
        assert await guest.hear(b"\r\n") == DOWN
        house.clients.tick()
        with pytest.raises(BlockingIOError):
            os.read(guest.stream.socket.fileno(), 1)
