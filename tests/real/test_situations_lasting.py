"""A refusal that goes on is told again: whoever looks after a while finds it near the end of the log.

Nobody waits that long for real: the nodes are those of tests/harness/cluster.py, with time moved by hand, and a
peer's answer is given as the daemon gives it to its node.
"""

from __future__ import annotations

from typing import Final

import pytest

from tests.harness.cluster import Cluster

pytestmark = pytest.mark.real

MINUTE_MS: Final = 60_000


def test_a_refusal_that_goes_on_is_told_again_every_ten_minutes_with_what_to_do() -> None:
    cluster = Cluster(2, start=[1])
    cause = f"--nodes differs: x:1 is missing in that of {cluster.names[1]}"
    cluster.turn(1, lambda node: node.links.turned_away(2, cause))
    cluster.advance(25 * MINUTE_MS)
    lines = [line for line in cluster.logs[1] if "will not have" in line]
    text = (
        f"{cluster.names[1]} will not have {cluster.names[0]}: {cause}; "
        "make `nodes` the same on all servers, then restart those where it was wrong"
    )
    assert lines == [
        f"for 15 s now: {text}",
        f"for 10 min now: {text}",
        f"for 20 min now: {text}",
    ]
    assert 1 not in cluster.serving(), "it begins beside the other one, which may have the data"
