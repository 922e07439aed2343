"""Three processes tell of each other that they hold the same, after all of it was compared.

A round of the buckets takes about 130 s, and a long test may wait for it; that something has been compared, and
that nothing differs, is seen within seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .administered import Administered
from .processes import until

pytestmark = pytest.mark.real

#: A round of all buckets, with room for a busy machine, s.
_ROUND_S = 300


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Administered]:
    with Administered(3, tmp_path) as cluster:
        for n in range(200):
            cluster.talk(n % 3, b"set k%d 0 %d 1\r\nx" % (n, 20 * (n % 2)), b"STORED\r\n")
        cluster.talk(1, b"delete k0", b"DELETED\r\n")
        yield cluster


def _says(nodes: Administered, beginning: str) -> bool:
    """Whether each node's check is of this kind; none may ever complain."""
    told = [nodes.ask(i, "check", "digests") for i in range(nodes.count)]
    assert all(outcome.returncode in (0, 3) for outcome in told), told
    return all(outcome.returncode == 0 and beginning in outcome.stdout for outcome in told)


def test_what_has_been_compared_so_far_is_the_same(nodes: Administered) -> None:
    until(lambda: _says(nodes, "no difference so far: "), 30, "each node has compared something")


@pytest.mark.long
def test_everything_is_compared_in_a_round_and_is_the_same(nodes: Administered) -> None:
    until(lambda: _says(nodes, "3 nodes hold the same: 1,024 of 1,024 buckets"), _ROUND_S, "all was compared")
