"""Links on loopback: nodes find each other and notice who is gone; no stranger, no silent peer costs much."""

from __future__ import annotations

from time import monotonic

import trio
import trio.testing

from memrep.replication.handshake import NONCE_BYTES, Identity, Outgoing
from tests.harness.hosted import serve
from tests.real.processes import HOST
from tests.unit.daemon.street import ELSEWHERE, Street


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


# --- strangers


async def test_a_stranger_is_told_why_and_turned_away_before_he_has_said_a_word(street: Street) -> None:
    one = street.build(1, ELSEWHERE)
    one.peers.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, one.reactor)
        for _ in range(2):
            async with await street.knock() as stranger:
                heard = Outgoing(Identity(me=2, inc=1, nodes=[]), 1, bytes(NONCE_BYTES))
                assert heard.receive(await stranger.receive_some()) == b""
                assert heard.reason == f"--nodes of ? has no other node at {HOST}, from which ? calls"
                assert await stranger.receive_some() == b""
        nursery.cancel_scope.cancel()
    (line,) = one.said
    assert HOST in line


async def test_who_does_not_show_in_time_that_he_knows_the_secret_is_closed(
    street: Street,
) -> None:
    one = street.build(1, ELSEWHERE, secret=b"s" * 32)
    one.peers.open()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery, await street.knock() as stranger:
            nursery.start_soon(serve, one.reactor)
            assert await stranger.receive_some()  # the challenge
            now = monotonic()
            one.peers.tick(now + 1.6)
            assert one.said == []
            one.peers.tick(now + 3.2)
            assert await stranger.receive_some() == b""
            nursery.cancel_scope.cancel()
    assert one.said == [f"closed a node's link from {HOST}: no greeting in 3 s"]


async def test_of_a_crowd_that_says_nothing_the_oldest_goes_for_the_one_who_comes(street: Street) -> None:
    one = street.build(1, ELSEWHERE, secret=b"s" * 32)
    one.peers.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, one.reactor)
        with trio.fail_after(30):
            crowd = [await street.knock() for _ in range(65)]
            for stranger in crowd:
                assert await stranger.receive_some()
            assert await crowd[0].receive_some() == b""
        for stranger in crowd:
            await stranger.aclose()
        nursery.cancel_scope.cancel()
