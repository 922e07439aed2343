"""The outbox: all that is said in a turn goes out once, in order, by the way that each peer is reached."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.message import ChunkRequest, Relay
from memrep.replication.outbox import Outbox
from memrep.replication.wire import decode, encode

NAMES = ["a:1", "b:1", "c:1", "d:1"]
INC = 7


def _outbox(**vias: int) -> Outbox:
    """Node 1's; b, c and d are reached over these nodes."""
    state = ReplicaState(1, INC, len(NAMES))
    detector = FailureDetector(state, NAMES, Timing())
    for node, name in enumerate("bcd", start=2):
        detector.peers[node].contact.reach_over(vias.get(name, 0))
    return Outbox(state, detector)


def _said(n: int) -> bytes:
    return encode(ChunkRequest(64, n))


def test_what_is_said_to_a_peer_in_a_turn_goes_out_in_one_piece_in_the_order_in_which_it_was_said() -> None:
    outbox = _outbox()
    outbox.tell([2, 3], _said(1))
    outbox.tell([3], _said(2))
    outbox.tell([2], _said(3))
    assert list(outbox.take()) == [(2, _said(1) + _said(3)), (3, _said(1) + _said(2))]


def test_what_has_gone_out_is_not_said_again() -> None:
    outbox = _outbox(d=3)
    outbox.tell([2, 4], _said(1))
    outbox.pass_on(2, b"of another")
    outbox.probe = b"still there?"
    assert list(outbox.take())
    assert list(outbox.take()) == []


def test_who_is_reached_over_another_node_gets_everything_in_one_envelope_under_this_nodes_name() -> None:
    outbox = _outbox(b=3)
    outbox.tell([2], _said(1))
    outbox.tell([2, 3], _said(2))
    (bridge, envelope), direct = outbox.take()
    assert bridge == 3
    assert decode(envelope) == [Relay(2, 1, INC, _said(1) + _said(2))]
    assert direct == (3, _said(2))


def test_what_is_passed_on_for_others_takes_this_nodes_own_link_and_makes_one_hop() -> None:
    """Were it given to a further node, two that go round each other's cuts would pass it on for ever."""
    outbox = _outbox(b=3)
    relayed = encode(Relay(2, 4, 9, _said(1)))
    outbox.pass_on(2, relayed)
    assert list(outbox.take()) == [(2, relayed)]


def test_only_links_that_are_gone_round_are_probed_and_with_nothing_to_say_as_well() -> None:
    outbox = _outbox(b=3, d=3)
    outbox.probe = b"still there?"
    assert list(outbox.take()) == [(2, b"still there?"), (4, b"still there?")]
    outbox.probe = b""
    assert list(outbox.take()) == []


@given(
    st.lists(st.lists(st.sampled_from([2, 3, 4]), unique=True), max_size=10),
    st.sampled_from([{}, {"b": 3}, {"c": 4}]),
)
def test_by_whatever_way_each_peer_gets_all_that_was_said_to_it_and_nothing_else(
    told: list[list[int]], vias: dict[str, int]
) -> None:
    outbox = _outbox(**vias)
    for n, nodes in enumerate(told):
        outbox.tell(nodes, _said(n))
    got = {2: b"", 3: b"", 4: b""}
    for node, data in outbox.take():
        relays = [one for one in decode(data) if isinstance(one, Relay)]
        if relays:
            for relay in relays:
                got[relay.to] += relay.data
        else:
            got[node] += data
    assert got == {node: b"".join(_said(n) for n, nodes in enumerate(told) if node in nodes) for node in got}
