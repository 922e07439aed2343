"""What ends nodes, and what does not; and what is said after the last one has ended."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from memrep.status.facts import SERVING, Status

from .asked import Asked

pytestmark = pytest.mark.real


def _all_serve(status: Status) -> bool:
    return all(node.state == SERVING for node in status.nodes) and not status.problems


def _all_are_empty(status: Status) -> bool:
    return all(node.about is not None and node.about.items == 0 for node in status.nodes)


def test_signals_that_others_take_for_reload_end_no_node(tmp_path: Path) -> None:
    with Asked(2, tmp_path) as cluster:
        before = cluster.stats(0, "cluster")["view"]
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            cluster.node(0).process.send_signal(number)
            cluster.told(0, _all_serve, "both serve, and nothing is wrong")
            assert cluster.node(0).running
        assert cluster.stats(0, "cluster")["view"] == before, "nobody has missed it"


def test_that_all_is_lost_is_said_by_those_who_begin_anew(tmp_path: Path) -> None:
    with Asked(3, tmp_path) as cluster:
        assert cluster.talk(0, b"set cart 0 0 5\r\nbooks", b"STORED\r\n")
        for i in range(3):
            cluster.kill(i)
        for i in range(3):
            cluster.start(i)
        cluster.wait_healed()
        for i in range(3):
            cluster.node(i).lines_with("warning: begins with no data: none of the 3 nodes had any", at_least=2)
            cluster.told(
                i, lambda status: _all_serve(status) and _all_are_empty(status), "all serve, and have nothing"
            )
        assert cluster.stored(0, "cart") == b"END\r\n"
