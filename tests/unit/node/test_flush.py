"""flush_all at one node, other commands at the others, in the same moment: as if one came after the other."""

from __future__ import annotations

from random import Random

import pytest

from memrep.storage.namespaces import FLUSH_KEY
from tests.harness.cluster import Cluster, serving_cluster

SEEDS = range(20)


def _race(seed: int, command: bytes, *, later: int = 0) -> tuple[Cluster, bytes]:
    """A flush_all at node 1 and this command at node 2, neither of which has heard of the other."""
    cluster = serving_cluster()
    assert cluster.client(3).send(b"set n 0 0 1\r\n5\r\nset other 0 0 1\r\nx\r\n") == b"STORED\r\n" * 2
    flusher, client = cluster.client(1), cluster.client(2)
    flusher.post(b"flush_all\r\n")
    cluster.now += later
    client.post(command)
    cluster.shuffle(Random(seed))
    cluster.advance(100)
    assert flusher.take() == b"OK\r\n"
    assert [cluster.client(number).send(b"get other\r\n") for number in (1, 2, 3)] == [b"END\r\n"] * 3
    return cluster, client.take()


def _left(cluster: Cluster) -> bytes:
    """What a read finds, on every node alike."""
    replies = {cluster.client(number).send(b"get n\r\n") for number in (1, 2, 3)}
    assert len(replies) == 1
    reply = replies.pop()
    return b"" if reply == b"END\r\n" else reply.split(b"\r\n")[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_set_at_the_same_moment_is_flushed_everywhere_or_nowhere(seed: int) -> None:
    cluster, reply = _race(seed, b"set n 0 0 1\r\n7\r\n")
    assert reply == b"STORED\r\n"
    assert _left(cluster) in (b"", b"7")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("later", [0, 5])
def test_an_add_at_the_same_moment_is_flushed_or_finds_nothing(seed: int, later: int) -> None:
    cluster, reply = _race(seed, b"add n 0 0 1\r\n7\r\n", later=later)
    assert (reply, _left(cluster)) in [(b"NOT_STORED\r\n", b""), (b"STORED\r\n", b"7")]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("later", [0, 5])
@pytest.mark.parametrize(
    ("command", "done", "missed"),
    [
        (b"incr n 1\r\n", b"6\r\n", b"NOT_FOUND\r\n"),
        (b"append n 0 0 1\r\n6\r\n", b"STORED\r\n", b"NOT_STORED\r\n"),
        (b"touch n 1000\r\n", b"TOUCHED\r\n", b"NOT_FOUND\r\n"),
    ],
)
def test_what_changes_a_value_at_the_same_moment_does_not_carry_it_past_the_flush(
    seed: int, later: int, command: bytes, done: bytes, missed: bytes
) -> None:
    cluster, reply = _race(seed, command, later=later)
    assert reply in (done, missed)
    assert _left(cluster) == b""


def test_what_was_written_behind_a_flush_outlives_the_node_that_was_asked_for_the_flush() -> None:
    """Its word that the flush is done has not reached all the others, so the next view decides on it."""
    cluster = serving_cluster()
    flusher, writer = cluster.client(1), cluster.client(2)
    cluster.hold((3, 1))
    assert flusher.send(b"flush_all\r\n") == b""
    cluster.hold((1, 3))
    cluster.release((3, 1))
    assert flusher.take() == b"OK\r\n"
    assert writer.send(b"set k 0 0 1\r\nx\r\n") == b"STORED\r\n"
    assert cluster.nodes[3].replica.rounds.pending(FLUSH_KEY), "else this test tells nothing"
    cluster.kill(1)
    cluster.advance(500)
    assert cluster.serving() == [2, 3]
    for number in (2, 3):
        assert cluster.client(number).send(b"get k\r\n") == b"VALUE k 0 1\r\nx\r\nEND\r\n"
