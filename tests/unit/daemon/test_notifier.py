"""What systemd is told: nothing twice, nothing lost, and nothing where it does not ask."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from memrep.daemon.notifier import Notifier


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        yield sock


def _fill(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                other.sendto(b"x", path)


def _heard(systemd: socket.socket) -> list[bytes]:
    heard = []
    with suppress(BlockingIOError):
        while True:
            heard.append(systemd.recv(1_000))
    return [each for each in heard if each != b"x"]


def test_what_systemd_cannot_take_now_it_is_told_as_soon_as_it_can(systemd: socket.socket) -> None:
    _fill(systemd.getsockname())
    notifier = Notifier(0)
    notifier.tell(READY="1")
    notifier.tick(1)
    assert _heard(systemd) == []
    notifier.tick(2)
    assert _heard(systemd) == [b"READY=1"]
    notifier.tick(3)
    assert _heard(systemd) == []


def test_that_it_is_ready_is_not_lost_behind_a_later_status(systemd: socket.socket) -> None:
    _fill(systemd.getsockname())
    notifier = Notifier(0)
    notifier.tell(READY="1", STATUS="serving")
    notifier.tick(1, "waiting")
    assert _heard(systemd) == []
    notifier.tick(2)
    assert _heard(systemd) == [b"READY=1\nSTATUS=waiting"]


def test_whatever_a_status_holds_it_is_one_line_and_can_be_told(systemd: socket.socket) -> None:
    notifier = Notifier(0)
    notifier.tick(1, "waits for \udcff\nREADY=1")
    assert _heard(systemd) == [b"STATUS=waits for ? READY=1"]


def test_a_status_is_told_when_it_has_changed_and_once_a_second_at_most(systemd: socket.socket) -> None:
    notifier = Notifier(0)
    for now, status in [(0.0, "one"), (0.2, "one"), (0.4, "two"), (0.8, "three"), (1.2, "three")]:
        notifier.tick(now, status)
    assert _heard(systemd) == [b"STATUS=one", b"STATUS=three"]


def test_a_sign_of_life_comes_three_times_in_the_time_that_the_unit_gives(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier(0)
    for tenth in range(30):
        notifier.tick(tenth / 10)
    assert _heard(systemd) == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize(("usec", "pid"), [("", ""), ("soon", ""), ("3000000", "1")])
def test_no_sign_of_life_is_given_that_is_not_asked_of_this_process(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, usec: str, pid: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    notifier = Notifier(0)
    notifier.tick(5)
    assert _heard(systemd) == []


def test_where_there_is_no_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier(0)
    assert not notifier.wanted
    notifier.tell(READY="1")
    notifier.tick(5, "serving")


def test_an_end_of_reading_anew_is_not_told_together_with_its_beginning(systemd: socket.socket) -> None:
    """It could be taken for the beginning of another one, for which systemd would wait."""
    _fill(systemd.getsockname())
    notifier = Notifier(0)
    notifier.tell(RELOADING="1", MONOTONIC_USEC="7")
    notifier.tell(READY="1")
    assert _heard(systemd) == []
    notifier.tick(1)
    assert _heard(systemd) == [b"MONOTONIC_USEC=7\nREADY=1"]


def test_a_node_that_is_not_ready_asks_for_more_time_again_and_again(systemd: socket.socket) -> None:
    notifier = Notifier(0)
    for now in range(0, 181, 10):
        notifier.tick(now, starting=now <= 120)
    assert _heard(systemd) == [b"EXTEND_TIMEOUT_USEC=120000000"] * 3
