"""Watching a run changes nothing, and tells the same of the same run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from memrep.replication.heartbeat import Heartbeats
from memrep.replication.membership.view_id import make_vid
from memrep.replication.message import Ack, Commit, Frame, Heartbeat, Install, Nack, Relay, Vote, Write
from memrep.replication.wire import encode
from memrep.storage.version import ZERO, make
from tests.simulate import main
from tests.simulation.trace import in_short

ROOT = Path(__file__).resolve().parents[2]


def _said(*arguments: str) -> str:
    told = CliRunner().invoke(main, [*arguments])
    assert told.exit_code == 0, told.output
    return told.output


def _fingerprint(seed: int) -> str:
    return _said("--fingerprint", "--each", "--seed", str(seed)).split()[1]


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.simulate", "--fingerprint", "--seeds", "3"]
    told = [
        subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": salt}, check=True, capture_output=True
        ).stdout
        for salt in ("1", "2")
    ]
    assert told[0] == told[1]
    assert told[0].endswith(b"  seeds 1 to 3\n")


def test_every_seed_has_another_fingerprint() -> None:
    *each, whole = _said("--fingerprint", "--each", "--seeds", "3").splitlines()
    prints = [line.split()[1] for line in each]
    assert [line.split()[0] for line in each] == ["1", "2", "3"]
    assert len({*prints, whole.split()[0]}) == 4


def test_what_is_said_otherwise_has_another_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _fingerprint(2)
    assert _fingerprint(2) == before
    real = Heartbeats.take

    def take(self: Heartbeats) -> Heartbeat | None:
        beat = real(self)
        return beat and replace(beat, wall=1)

    monkeypatch.setattr(Heartbeats, "take", take)
    assert _fingerprint(2) != before


def test_a_trace_has_a_line_for_every_message_and_every_change_of_a_state() -> None:
    heading, *lines = _said("--seed", "2", "--trace").splitlines()
    assert heading.split()[:2] == ["ms", "what"]
    assert heading.endswith("node 5")
    assert sum("Install" in line for line in lines) > 3
    assert any("1>2 Frame" in line for line in lines)
    assert any("serves" in line for line in lines)
    assert "(a new link)" in "".join(lines)
    assert lines[-1].startswith("Outcome(")


def test_a_message_is_told_in_one_line() -> None:
    vid = make_vid(12, 3)
    assert in_short(Ack(vid, 4, 9)) == "Ack 12.3 #4"
    assert in_short(Frame(vid, 4, [Commit(b"k", ZERO)])) == "Frame 12.3 #4: Commit 'k'"
    assert in_short(Nack(b"k", make(9, 2))) == "Nack 2's 'k'"
    beat = Heartbeat(vid, vid, True, "", False, 5, 6, 7, 8, hears=0b1010, direct=0b1010)
    assert in_short(beat) == "Heartbeat 12.3 hears 13 sent 6"
    assert in_short(Relay(2, 1, 7, encode(beat))) == "Relay 1>2: Heartbeat 12.3 hears 13 sent 6"
    assert in_short(replace(beat, direct=2)) == "Heartbeat 12.3 hears 13 (directly 1) sent 6"
    view = Install(vid, 12, {1: 5, 2: 6}, [1], False, [], ZERO, yields=[2])
    assert in_short(view) == "Install 12.3 [1, 2], full: [1], no majority, settled 0, yield: [2]"


def test_of_a_write_the_value_is_told_and_of_many_or_long_ones_the_beginning() -> None:
    write = Write(b"k", ZERO, None, False, b"v", 0, -1)
    assert in_short(write) == "Write 'k'='v' plain"
    gone = replace(write, base=ZERO, value=None)
    assert in_short(gone) == "Write 'k'=None read-modify-write"
    assert in_short(replace(write, value=b"x" * 99)) == "Write 'k'='xxxxxxxxxxxxxxxx'... (99 bytes) plain"
    vote = Vote(make_vid(13, 1), 9, make_vid(12, 3), True, [write, gone], 0, ZERO, 0)
    assert in_short(vote) == "Vote 13.1 from 12.3, pending 2 'k'='v' 'k'=None"
    assert in_short(replace(vote, pending=[write] * 4)).endswith(", pending 4 'k'='v' 'k'='v' 'k'='v' ...")
