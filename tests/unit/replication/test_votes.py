"""A vote tells where its node stands, and all that is in flight there."""

from __future__ import annotations

from memrep.replication.votes import make_vote
from tests.harness.cluster import serving_cluster


def test_a_vote_tells_what_a_node_holds_and_what_is_in_flight() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    client.send(b"set key 0 0 1\r\nx\r\n")
    cluster.hold_all()
    client.post(b"set other 0 0 1\r\ny\r\n")
    node = cluster.nodes[1]
    replica = node.replica
    vote = make_vote(99, replica.state, replica.rounds, node.store, replica._clock)
    view = replica.state.view
    assert (vote.vid, vote.gen, vote.last, vote.full, vote.records) == (99, view.gen, view.vid, True, 1)
    assert [write.key for write in vote.pending] == [b"other"]
