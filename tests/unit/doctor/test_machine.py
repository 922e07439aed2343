"""What the machine lets a process have is told as the node would meet it."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

import pytest

from memrep.doctor import machine
from memrep.doctor.machine import clock, descriptors, memory
from memrep.errors import UsageError


def _limits(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, hard))


def test_too_few_descriptors_are_told_with_what_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    _limits(monkeypatch, 1024)
    found = descriptors(1024)
    assert found.verdict == "wrong"
    assert "1,536 are needed for 1,024 clients, and the system allows 1,024" in found.text
    assert "LimitNOFILE" in found.remedy


@pytest.mark.parametrize("hard", [1536, resource.RLIM_INFINITY])
def test_enough_descriptors_are_well(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    _limits(monkeypatch, hard)
    assert descriptors(1024).verdict == "ok"


class _Granted:
    """A memory cgroup that refuses, or has so much."""

    def __init__(self, refusal: str = "", limit: int = 0) -> None:
        self._refusal, self._limit = refusal, limit

    def check(self, memory: int, connections: int) -> None:
        if self._refusal:
            raise UsageError(self._refusal)

    def look(self) -> tuple[int, int]:
        return 0, self._limit

    def close(self) -> None:
        pass


def test_memory_that_is_not_granted_is_told_with_what_to_raise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "Memory", lambda: _Granted("-m 64 needs 150 MB; raise MemoryMax="))
    found = memory(64 << 20, 1024)
    assert (found.verdict, found.text, found.remedy) == ("wrong", "-m 64 needs 150 MB", "raise MemoryMax=")


@pytest.mark.parametrize(
    ("limit", "granted"),
    [(256 << 20, "the kernel grants 256 MB in all"), (0, "the kernel grants no limit here")],
)
def test_what_the_kernel_grants_is_told(limit: int, granted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "Memory", lambda: _Granted(limit=limit))
    found = memory(64 << 20, 1024)
    assert found.verdict == "ok"
    assert granted in found.text


class _Kernel:
    def __init__(self, state: int) -> None:
        self._state = state

    def adjtimex(self, buffer: object) -> int:
        return self._state


@pytest.mark.parametrize(("state", "verdict"), [(0, "ok"), (1, "ok"), (5, "warning"), (-1, "note")])
def test_a_clock_that_nobody_keeps_is_warned_of(
    state: int, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: _Kernel(state))
    assert [found.verdict for found in clock(tmp_path / "none")] == [verdict]


@pytest.mark.parametrize(("name", "count"), [("hpet", 2), ("tsc", 1), ("kvm-clock", 1)])
def test_a_clock_that_takes_a_system_call_to_read_is_warned_of(
    name: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: _Kernel(0))
    source = tmp_path / "current_clocksource"
    source.write_text(f"{name}\n")
    found = clock(source)
    assert len(found) == count
    assert count == 1 or (found[1].verdict == "warning" and name in found[1].text)


def test_the_kernel_here_is_asked_in_earnest(tmp_path: Path) -> None:
    (found,) = clock(tmp_path / "none")
    assert found.verdict in ("ok", "warning", "note")
