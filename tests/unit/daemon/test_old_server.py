"""A server that refuses or stays silent is left alone, tried by the node, and asked again when it answers."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from memrep.daemon.old_dialogues import Seen
from memrep.daemon.old_server import MISSES, PAUSE_MAX_S, PAUSE_S, Asked, OldServer
from memrep.daemon.old_stream import OldStream, SilentError


class Stage:
    """A server that does what the test says."""

    def __init__(self) -> None:
        self.mood = "answers"
        self.server = OldServer("10.0.0.1:11211", self.look, self.close)

    async def look(self, name: bytes) -> Seen:
        if self.mood == "silent":
            await trio.sleep_forever()
        if self.mood == "refuses":
            raise SilentError("connection refused")
        return Seen()

    async def close(self) -> None: ...


async def test_one_that_answers_is_not_left_alone(autojump_clock: MockClock) -> None:
    stage = Stage()
    assert await stage.server.look(b"x", 0.2) == Seen()
    assert (stage.server.why, stage.server.is_due(trio.current_time())) == ("", False)


async def test_one_that_refuses_is_left_alone_at_once(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.mood = "refuses"
    assert await stage.server.look(b"x", 0.2) is None
    assert stage.server.why == "connection refused"
    assert not stage.server.is_due(trio.current_time())
    await trio.sleep(PAUSE_S)
    assert stage.server.is_due(trio.current_time())


async def test_one_that_is_silent_costs_a_bounded_wait_and_is_left_alone_after_some_times(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    stage.mood = "silent"
    for number in range(1, MISSES + 1):
        began = trio.current_time()
        assert await stage.server.look(b"x", 0.2) is None
        assert trio.current_time() - began == pytest.approx(0.2)
        assert bool(stage.server.why) == (number == MISSES)


async def test_a_single_slow_answer_is_forgotten(autojump_clock: MockClock) -> None:
    stage = Stage()
    for _ in range(3 * MISSES):
        stage.mood = "silent"
        await stage.server.look(b"x", 0.2)
        assert stage.server.why == ""
        stage.mood = "answers"
        await stage.server.look(b"x", 0.2)


async def test_it_is_asked_again_from_its_first_answer_on(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.mood = "refuses"
    await stage.server.look(b"x", 0.2)
    stage.mood = "answers"
    assert await stage.server.look(b"x", 0.2) == Seen()
    assert stage.server.why == ""


async def test_one_that_stays_away_is_tried_less_and_less_often(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.mood = "refuses"
    pauses = []
    for _ in range(8):
        await stage.server.look(b"x", 0.2)
        began = trio.current_time()
        while not stage.server.is_due(trio.current_time()):
            await trio.sleep(0.5)
        pauses.append(trio.current_time() - began)
    assert pauses[0] == PAUSE_S and pauses[-1] == PAUSE_MAX_S
    assert pauses == sorted(pauses)


async def test_one_that_comes_and_goes_is_told_of_less_and_less_often(autojump_clock: MockClock) -> None:
    stage = Stage()
    for _ in range(8):
        stage.mood = "refuses"
        await stage.server.look(b"x", 0.2)
        stage.mood = "answers"
        await stage.server.look(b"x", 0.2)
    stage.mood = "refuses"
    await stage.server.look(b"x", 0.2)
    await trio.sleep(PAUSE_MAX_S - 1)
    assert not stage.server.is_due(trio.current_time())


# --- connections


class Connections:
    """Connections that are counted, and end when the test says so."""

    def __init__(self) -> None:
        self.opened = 0
        self.ended = False
        self.asked = Asked(self.connect, self.dialogue)

    async def connect(self) -> OldStream:
        self.opened += 1
        self.ended = False
        return OldStream(memory_stream_pair()[0])

    async def dialogue(self, stream: OldStream, name: bytes) -> Seen:
        if name == b"slow":
            await trio.sleep_forever()
        if self.ended:
            raise SilentError("it hangs up")
        return Seen()


async def test_a_connection_is_used_again() -> None:
    connections = Connections()
    for _ in range(3):
        await connections.asked.look(b"x")
    assert connections.opened == 1
    await connections.asked.close()


async def test_one_that_has_ended_while_it_was_idle_is_opened_anew() -> None:
    connections = Connections()
    await connections.asked.look(b"x")
    connections.ended = True
    assert await connections.asked.look(b"x") == Seen()
    assert connections.opened == 2


async def test_one_that_owes_an_answer_is_not_used_again(autojump_clock: MockClock) -> None:
    """Or that would be taken for the answer to what is asked next: somebody else's session."""
    connections = Connections()
    with trio.move_on_after(0.2):
        await connections.asked.look(b"slow")
    await connections.asked.look(b"x")
    assert connections.opened == 2
