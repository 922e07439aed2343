"""The simulator itself: a seed replays to the byte, the code as it is survives, and broken code is caught."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from memrep.replication.frames import FrameStream
from memrep.replication.membership.leases import Leases
from memrep.replication.replica import Replica
from tests.simulate import main
from tests.simulation import simulator
from tests.simulation.plan import Broken
from tests.simulation.simulator import Outcome, simulate
from tests.simulation.world import World

#: A deliberate fault must show within this many seeds.
SEEDS = range(1, 201)


def _traces(monkeypatch: pytest.MonkeyPatch, seed: int) -> tuple[Outcome, list[str], list[str]]:
    """Run a seed; return its outcome, all that was logged and every client's command with its reply."""
    worlds: list[World] = []

    class Remembered(World):
        def __init__(self, seed: int, only: str, *, redis: bool = True) -> None:
            super().__init__(seed, only, redis=redis)
            worlds.append(self)

    monkeypatch.setattr(simulator, "World", Remembered)
    outcome = simulate(seed)
    (world,) = worlds
    history = [operation.text for operations in world.history.values() for operation in operations]
    return outcome, world.trace, history


@pytest.mark.parametrize("seed", [2, 15, 22])
def test_the_same_seed_gives_the_same_run_twice(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    first = _traces(monkeypatch, seed)
    monkeypatch.undo()
    assert _traces(monkeypatch, seed) == first
    assert first[0].commands > 0
    assert len(first[1]) > 10
    assert len(first[2]) > 10


def test_different_seeds_give_different_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _traces(monkeypatch, 2)
    monkeypatch.undo()
    assert _traces(monkeypatch, 22) != first


@pytest.mark.parametrize("kind", [[], ["--kind", "whole"]])
def test_the_command_that_replays_a_seed_is_understood(kind: list[str]) -> None:
    told = CliRunner().invoke(main, ["--seed", "2", *kind])
    assert told.exit_code == 0, told.output


@pytest.mark.parametrize("seed", range(1, 31))
def test_a_seed_runs_without_a_broken_promise(seed: int) -> None:
    outcome = simulate(seed)
    assert outcome.commands > 0
    assert outcome.undecided == 0


def _caught() -> str:
    """The report of the first seed that shows a broken promise."""
    for seed in SEEDS:
        try:
            simulate(seed)
        except Broken as error:
            return str(error)
    pytest.fail("nobody noticed")


def test_commits_without_acknowledgements_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameStream, "held_by_all", lambda self: self.sent + 1)
    assert "Replay: python -m tests.simulate --seed" in _caught()


def test_a_client_port_that_opens_before_the_join_is_complete_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end(self: Leases) -> int:
        state = self._state
        full, state.full = state.full, True
        until = real(self)
        state.full = full
        return until

    real = Leases.end
    monkeypatch.setattr(Leases, "end", end)
    monkeypatch.setattr(Replica, "open", property(lambda self: self.state.view.vid > 0))
    assert "Replay: python -m tests.simulate --seed" in _caught()
