"""Why a page took long, a moment later: what waited at a real node, and for which other one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .administered import Administered

pytestmark = pytest.mark.real


def test_a_write_that_a_frozen_node_has_held_up_is_told(tmp_path: Path) -> None:
    with Administered(3, tmp_path) as cluster:
        cluster.talk(0, b"set quick 0 0 1\r\n1", end=b"STORED\r\n")
        cluster.freeze(1)
        cluster.talk(0, b"set slow 0 0 1\r\n1", end=b"STORED\r\n")
        cluster.thaw(1)
        told = json.loads(cluster.done(0, "slow", "--keys", "-w", "json"))["commands"]
        (slow,) = [command for command in told if command["key"] == "slow"]
        assert (slow["command"], slow["host"], slow["answered"]) == ("set", "127.0.0.1", True)
        assert slow["waited_s"] >= 0.1
        assert slow["waited_for"] == "view" or slow["nodes"] == [cluster.addresses[1]]
        assert "slow" not in cluster.done(0, "slow")
        cluster.wait_healed()
