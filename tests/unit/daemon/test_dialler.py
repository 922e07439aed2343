"""The dialler on loopback: what becomes of a link is told, and a new one is dialled without delay."""

from __future__ import annotations

from time import monotonic

import pytest
import trio

from memrep.daemon.names import Endpoint
from tests.unit.daemon.street import Street


async def test_a_node_that_is_turned_away_is_told_why_and_tells_its_operator(street: Street) -> None:
    one, other = street.build(1), street.build(2, strict=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.live)
        nursery.start_soon(other.live)
        await one.until(lambda: any("turned this node away" in line for line in one.said))
        nursery.cancel_scope.cancel()
    (line,) = [line for line in one.said if "turned this node away" in line]
    assert line.startswith(str(street.nodes[1]))
    assert "--partition majority" in line
    assert 2 not in one.members


async def test_that_nobody_listens_at_a_peers_port_is_told_once(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memrep.daemon.dialler._PATIENCE_S", 0.0)
    monkeypatch.setattr("memrep.daemon.dialler._REDIAL_S", 0.0)
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


async def test_a_link_that_carries_nothing_is_replaced_at_once(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memrep.daemon.dialler._RENEW_S", 0.0)
    one, other = street.build(1), street.build(2)
    dialler = one.peers.diallers[2]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.live)
        nursery.start_soon(other.live)
        await one.until(lambda: one.members == other.members == [1, 2])
        first = dialler.link
        dialler.renew(monotonic())
        assert dialler.link is first and first is not None and not first.closed
        monkeypatch.setattr(one.node.links, "deaf", lambda node: dialler.link is first)
        dialler.renew(monotonic())
        assert first.closed
        await one.until(lambda: dialler.link is not None and dialler.link is not first)
        nursery.cancel_scope.cancel()


async def test_what_former_tasks_have_dialled_is_closed_and_wakes_nobody(street: Street) -> None:
    one, other = street.build(1), street.build(2)
    dialler = one.peers.diallers[2]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.live)
        with trio.CancelScope() as tasks:
            async with trio.open_nursery() as former:
                former.start_soon(one.live)
                await one.until(lambda: one.members == [1, 2])
                tasks.cancel()
        link = dialler.link
        assert link is not None
        ended = link.ended
        dialler.begin_anew()
        assert dialler.link is None and link.closed
        assert not ended.is_set()
        nursery.cancel_scope.cancel()


async def test_a_peer_that_has_just_called_is_dialled_without_a_pause(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memrep.daemon.dialler._REDIAL_S", 3_600.0)
    one, other = street.build(1), street.build(2)
    refused: list[tuple[int, str, bool]] = []
    async with trio.open_nursery() as nursery:
        with monkeypatch.context() as patch:
            patch.setattr(one.node.links, "unreachable", lambda *what: refused.append(what))
            other.peers.give_up()
            nursery.start_soon(one.live)
            await one.until(lambda: bool(refused))
        nursery.start_soon(other.live)
        await one.until(lambda: one.members == [1, 2])
        nursery.cancel_scope.cancel()


async def test_a_look_up_is_not_called_off_for_a_fresh_attempt(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is wanted at each tick would never be dialled where the resolver takes as long as a tick."""
    one, other = street.build(1), street.build(2)
    dialler = one.peers.diallers[2]
    ask, errands = dialler.where.ask, one.reactor.errands

    async def slowly() -> list[Endpoint]:
        found = await ask()
        dialler.dial_afresh()
        while errands:
            errands.popleft()()
        await trio.lowlevel.checkpoint()
        return found

    monkeypatch.setattr(dialler.where, "ask", slowly)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.live)
        nursery.start_soon(one.live)
        await one.until(lambda: one.members == [1, 2])
        nursery.cancel_scope.cancel()
