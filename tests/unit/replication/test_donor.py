"""The donor: what differs comes once, in pieces of bounded size, to who asks in turn."""

from __future__ import annotations

import pytest

from memrep.daemon.peer_links import _RECEIVE_BYTES
from memrep.replication.donor import CHUNK_BYTES, CHUNK_KEYS, Donor
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.view import View
from memrep.replication.message import Chunk, ChunkRequest, TransferRequest
from memrep.replication.wire import encode
from memrep.storage.digest import BUCKETS
from memrep.storage.entry import NEVER, Entry
from memrep.storage.store import Store
from memrep.storage.version import Clock, make
from tests.harness.collector import walked

VID = 64


class _Giving:
    """Node 1, which holds these keys, and a member that asks it."""

    def __init__(self, keys: int, value: bytes = b"v", *, full: bool = True) -> None:
        self.store = Store(1 << 30)
        for number in range(keys):
            self.store.put(b"k%d" % number, Entry(make(1, number + 1), value, 0, NEVER), 0)
        view = View(vid=VID, gen=1, members={1: 1, 2: 2}, full=frozenset([1]), quorate=True)
        state = ReplicaState(1, 1, 2, view=view, promised=VID, full=full)
        self.donor = Donor(state, self.store, Clock(1, 1_000, 1_000))

    def ask(self, sums: list[int], vid: int = VID) -> None:
        self.donor.on_transfer_request(2, TransferRequest(vid, sums))

    def chunk(self, number: int, vid: int = VID) -> Chunk | None:
        return self.donor.on_chunk_request(2, ChunkRequest(vid, number))

    def chunks(self) -> list[Chunk]:
        found: list[Chunk] = []
        while chunk := self.chunk(len(found)):
            found.append(chunk)
        return found


@pytest.mark.parametrize("keys", [0, 1, CHUNK_KEYS, CHUNK_KEYS + 1, 3 * CHUNK_KEYS])
def test_each_key_comes_once_and_the_last_piece_says_so(keys: int) -> None:
    giving = _Giving(keys)
    giving.ask([])
    chunks = giving.chunks()
    came = [write.key for chunk in chunks for write in chunk.records]
    assert sorted(came) == sorted(key for piece in giving.store.walk() for key in piece)
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert all(len(chunk.records) <= CHUNK_KEYS for chunk in chunks)


def test_who_dies_while_the_keys_are_gone_through_comes_all_the_same() -> None:
    """Values come before tombstones, so what is no value any more when its turn comes is a tombstone then."""
    giving = _Giving(4 * CHUNK_KEYS)
    giving.ask([])
    first = giving.chunk(0)
    assert first is not None
    for number in range(4 * CHUNK_KEYS):
        giving.store.put(b"k%d" % number, Entry(make(1, number + 1), None, 0, NEVER), 0)
        giving.store.put(b"k%d" % number, Entry(make(2, number + 1), None, 0, NEVER), 0)
    came = {write.key for write in first.records}
    while chunk := giving.chunk(giving.donor._transfers[2].chunks):
        came |= {write.key for write in chunk.records}
        if chunk.last:
            break
    assert came == {b"k%d" % number for number in range(4 * CHUNK_KEYS)}


def test_a_piece_of_large_values_is_closed_by_its_bytes() -> None:
    size = CHUNK_BYTES // 4
    giving = _Giving(10, bytes(size))
    giving.ask([])
    assert [len(chunk.records) for chunk in giving.chunks()] == [4, 4, 2]


@pytest.mark.parametrize("size", [1, 100, 500])
def test_a_piece_of_whatever_values_is_read_in_one_go(size: int) -> None:
    giving = _Giving(CHUNK_KEYS, bytes(size))
    giving.ask([])
    assert max(len(encode(chunk)) for chunk in giving.chunks()) < _RECEIVE_BYTES


def test_who_has_the_same_gets_nothing_and_who_lacks_a_key_gets_its_bucket() -> None:
    giving, other = _Giving(1_000), _Giving(999)
    giving.ask(list(giving.store.digest.sums))
    assert [chunk.records for chunk in giving.chunks()] == [[]]
    giving.ask(list(other.store.digest.sums))
    came = {write.key for chunk in giving.chunks() for write in chunk.records}
    assert b"k999" in came
    assert len(came) < 100


def test_a_piece_out_of_turn_or_of_another_view_is_not_given() -> None:
    giving = _Giving(3 * CHUNK_KEYS)
    giving.ask([])
    assert giving.chunk(1) is None
    assert giving.chunk(0, vid=VID + 1) is None
    assert giving.chunk(0) is not None
    assert giving.chunk(0) is None, "not for a second time"
    giving.donor.reset()
    assert giving.chunk(1) is None, "a view has begun: who still lacks something asks again"


@pytest.mark.parametrize(
    ("sums", "vid", "full"), [([1], VID, True), ([0] * BUCKETS, VID - 1, True), ([], VID, False)]
)
def test_a_request_that_makes_no_sense_here_is_not_answered(sums: list[int], vid: int, full: bool) -> None:
    giving = _Giving(3, full=full)
    giving.ask(sums, vid)
    assert giving.chunk(0) is None


def test_what_is_written_meanwhile_is_given_as_it_is_and_what_is_gone_is_not() -> None:
    giving = _Giving(3)
    giving.ask([])
    giving.store.put(b"k1", Entry(make(2, 9), b"new", 0, NEVER), 0)
    giving.store.remove(b"k2")
    (chunk,) = giving.chunks()
    assert {write.key: write.value for write in chunk.records} == {b"k0": b"v", b"k1": b"new"}


def test_while_very_many_are_given_away_the_collector_walks_through_none_of_them() -> None:
    giving = _Giving(10_000)
    giving.ask([])
    assert giving.chunk(0) is not None
    assert walked(b"k") == []
