"""What the operator and systemd are told: neither can stop a node by not listening."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from memrep.daemon.log import Log, Notifier


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield sock


def fill(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                other.sendto(b"x", path)


def test_what_systemd_cannot_take_now_it_is_told_as_soon_as_it_can(systemd: socket.socket) -> None:
    fill(systemd.getsockname())
    notifier = Notifier()
    notifier.tell("READY=1")
    notifier.tick()
    told = []
    with suppress(BlockingIOError):
        while True:
            told.append(systemd.recv(100))
    assert b"READY=1" not in told
    notifier.tick()
    assert systemd.recv(100) == b"READY=1"
    notifier.tick()
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_lines_come_in_their_order_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        journal = Log("node", file.fileno())
        for n in range(500):
            journal.log(f"line {n}")
        journal.close(5)
    lines = path.read_text().splitlines()
    assert [line.partition("node ")[2] for line in lines] == [f"line {n}" for n in range(500)]


def test_a_reader_that_made_the_log_non_blocking_loses_no_line() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    journal = Log("", writer)
    for n in range(900):
        journal.log(f"{n} " + "x" * 200)
    told = b""
    while told.count(b"\n") < 900:
        told += os.read(reader, 1 << 16)
    assert b"lost" not in told
    journal.close(5)
    os.close(reader)
    os.close(writer)
