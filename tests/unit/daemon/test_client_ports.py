"""The ports of clients on loopback: they refuse whenever this node must not serve, and listen when it may."""

from __future__ import annotations

import socket

import pytest
import trio

from tests.real.processes import HOST
from tests.unit.daemon.house import DOWN, comes, hears, open_house


async def test_the_port_refuses_until_the_node_serves_and_again_from_when_it_is_shut() -> None:
    async with open_house() as house:
        assert await house.refuses()
        house.open()
        guest = await house.connect()
        assert await guest.ask(b"set a 0 0 1\r\n1\r\n") == b"STORED\r\n"
        house.reactor.turn(house.ports.shut)
        assert await house.refuses()
        assert await guest.ask(b"get a\r\n", b"END\r\n") == b"VALUE a 0 1\r\n1\r\nEND\r\n"


async def test_who_waits_to_be_accepted_when_the_port_is_shut_for_good_is_served() -> None:
    """PHP is connected by then, and does not go to another node: its request would fail."""
    async with open_house() as house:
        house.open()
        with socket.create_connection((HOST, house.port), timeout=5) as early:
            early.sendall(b"mn\r\n")
            house.reactor.turn(house.ports.shut)
            assert await house.refuses()
            assert early.recv(100) == b"MN\r\n"


async def test_after_a_stop_who_waits_to_be_accepted_is_sent_away_and_who_is_in_stays() -> None:
    async with open_house() as house:
        house.open()
        guest = await house.connect()
        await guest.ask(b"mn\r\n")
        house.ports.fence()
        assert await house.refuses()
        assert await guest.ask(b"mn\r\n") == b"MN\r\n"
        house.open()
        assert not await house.refuses()


async def test_a_port_that_is_closed_opens_again_in_the_next_turn_that_finds_the_node_open() -> None:
    async with open_house() as house:
        house.open()
        house.ports.close()
        assert not house.ports.listening
        assert await house.refuses()
        house.open()
        assert not await house.refuses()


async def test_a_port_that_is_shut_stays_so_in_whatever_turn() -> None:
    async with open_house() as house:
        house.open()
        house.reactor.turn(house.ports.shut)
        house.reactor.turn(house.node.tick)
        assert not house.ports.listening
        assert await house.refuses()


async def test_a_node_that_is_told_to_stop_while_its_port_is_shut_opens_it_no_more() -> None:
    async with open_house() as house:
        house.reactor.turn(house.ports.refuse_more)
        house.reactor.turn(house.node.tick)
        assert house.node.open
        assert not house.ports.listening
        assert await house.refuses()


async def test_sockets_that_listen_are_described_as_memcached_does() -> None:
    async with open_house() as house:
        assert dict(house.ports.describe()) == {}
        house.open()
        told = [(name.partition(":")[2], value) for name, value in house.ports.describe()]
        for port in (house.port, house.redis_port):
            assert told[:3] == [
                ("addr", f"tcp:{HOST}:{port}"),
                ("state", "conn_listening"),
                ("secs_since_last_cmd", 0),
            ]
            del told[:3]
        assert told == []


async def test_a_redis_clusters_client_that_waits_to_be_accepted_hears_a_word_where_others_hear_a_reset() -> (
    None
):
    async with open_house() as house:
        house.open()
        async with comes(house.redis_port) as waiting, comes(house.port) as other:
            house.ports.fence()
            await waiting.send_all(b"GET a\r\n")
            assert await hears(house, waiting) == DOWN
            with pytest.raises(trio.BrokenResourceError):
                await other.receive_some()
