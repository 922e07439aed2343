"""What the operator and systemd are told: neither can stop a node by not listening."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from memrep.daemon.log import Log
from memrep.daemon.log_format import LogFormat
from memrep.events import SERVES_NOT, STDERR_SAID, VIEW, Level
from tests.real.processes import until


def test_lines_come_in_their_order_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        journal = Log(LogFormat(node="node", named=True), fd=file.fileno())
        for n in range(500):
            journal.log(STDERR_SAID(text=f"line {n}"))
        journal.close(5)
    lines = path.read_text().splitlines()
    assert [line.partition("node warning: ")[2] for line in lines] == [f"line {n}" for n in range(500)]


def test_a_reader_that_made_the_log_non_blocking_loses_no_line() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    journal = Log(LogFormat(), fd=writer)
    for n in range(900):
        journal.log(STDERR_SAID(text=f"{n} " + "x" * 200))
    told = b""
    while told.count(b"\n") < 900:
        told += os.read(reader, 1 << 16)
    assert b"lost" not in told
    journal.close(5)
    os.close(reader)
    os.close(writer)


def test_lines_that_could_not_be_written_stay_counted_when_the_log_has_told_of_them() -> None:
    with Path("/dev/full").open("wb") as full, tempfile.TemporaryFile() as file:
        descriptor = os.dup(full.fileno())
        journal = Log(LogFormat(), fd=descriptor)
        for n in range(3):
            journal.log(STDERR_SAID(text=f"line {n}"))
        until(lambda: journal.lost == 3, 5, "the disk is full")
        os.dup2(file.fileno(), descriptor)
        journal.log(STDERR_SAID(text="there is room again"))
        until(lambda: not journal.lost, 5, "the log tells of it")
        journal.close(5)
        os.close(descriptor)
        file.seek(0)
        assert "3 lines of the log were lost" in file.read().decode()
    assert journal.lost_ever == 3


def test_it_wants_to_hear_of_each_client_if_it_writes_that_down() -> None:
    journal = Log(LogFormat(), Level.INFO)
    assert not journal.verbose()
    journal.level = Level.DEBUG
    assert journal.verbose()
    journal.close(5)


def test_what_matters_less_than_the_level_is_not_told_and_the_level_may_change(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        journal = Log(LogFormat(), Level.WARNING, file.fileno())
        view = VIEW(view=1, members=2, of=3, lacks="", why="")
        journal.log(view)
        journal.log(SERVES_NOT(reason="it stops"))
        journal.level = Level.NOTICE
        journal.log(view)
        journal.close(5)
    lines = path.read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "warning: serves no clients: it stops",
        "view 1: 2 of 3 nodes",
    ]
