"""Transfer: a member that lacks something gets just that, and gives what only it has."""

from __future__ import annotations

import pytest

from memrep.replication import state_transfer
from memrep.replication.message import Chunk, ChunkRequest, TransferRequest, Write, describe
from memrep.replication.rounds import Rounds
from memrep.replication.state_transfer import Joiner, _Announcements
from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSH_KEY
from memrep.storage.version import ZERO, Version, make
from tests.harness.cluster import Cluster, serving_cluster


def _entry(version: Version, value: bytes = b"mine") -> Entry:
    return Entry(version, value, 0, NEVER)


def _away() -> Cluster:
    """Three nodes that hold ten keys; node 3 is cut off and has been left out by the others."""
    cluster = serving_cluster()
    cluster.client(1).send(b"".join(b"set key%d 0 0 1\r\nx\r\n" % i for i in range(10)))
    cluster.hold((3, 1), (3, 2), (1, 3), (2, 3))
    cluster.advance(900)
    assert cluster.members(1) == [1, 2]
    return cluster


def _back(cluster: Cluster) -> None:
    """Node 3 is within reach again, on new links."""
    cluster.held.clear()
    for other in (1, 2):
        cluster.dial(3, other)
        cluster.dial(other, 3)
    cluster.said.clear()
    cluster.advance(1_500)
    assert sorted(cluster.serving()) == [1, 2, 3]


def _records(cluster: Cluster) -> list[Write]:
    return [write for _, to, message in cluster.said if isinstance(message, Chunk) for write in message.records]


def test_equal_stores_send_nothing() -> None:
    cluster = _away()
    _back(cluster)
    assert any(isinstance(message, TransferRequest) for _, _, message in cluster.said)
    assert _records(cluster) == []


def test_what_was_written_meanwhile_is_sent_and_little_else() -> None:
    cluster = _away()
    cluster.client(1).send(b"set new 0 0 1\r\ny\r\n")
    _back(cluster)
    assert {write.key for write in _records(cluster)} == {b"new"}
    assert cluster.value(3, b"new") == b"y"


def test_a_key_that_only_the_newcomer_has_is_sent_round_under_its_version() -> None:
    cluster = _away()
    version = make(1 << 40, 5)
    cluster.nodes[3].store.put(b"mine", _entry(version), cluster.now)
    _back(cluster)
    assert [cluster.value(n, b"mine") for n in (1, 2, 3)] == [b"mine"] * 3
    assert {node.store.version(b"mine") for node in cluster.nodes.values()} == {version}


def test_a_flush_goes_round_even_where_all_else_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = _away()
    flushed = make((1 << 40) + 1, 64 * 5)
    for key, version in ((b"mine", make(1 << 40, 64 * 5)), (FLUSH_KEY, flushed)):
        cluster.nodes[3].store.put(key, _entry(version), cluster.now)
    begin = Joiner.begin
    monkeypatch.setattr(Joiner, "begin", lambda self, horizon, yields=0: begin(self, horizon, 1))
    _back(cluster)
    for node in cluster.nodes.values():
        assert node.store.is_miss(b"mine", cluster.now)
        assert node.store.is_miss(b"key1", cluster.now), "it was flushed at node 3, and would differ for good"
        assert node.store.flushes.of_all == flushed


def test_to_yield_revives_nothing_that_a_flush_has_ended_since(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = serving_cluster()
    node = cluster.nodes[3]
    theirs = make(1 << 40, 64 * 5)
    node.store.put(b"k", _entry(make(1 << 40, 64 * 6)), cluster.now)
    node.store.put(FLUSH_KEY, _entry(make(1 << 40, 64 * 7)), cluster.now)
    given: list[tuple[Entry, bool]] = []
    monkeypatch.setattr(
        Rounds,
        "give_way",
        lambda self, key, entry, base, attempt, *, dead=False: given.append((entry, dead)),
    )
    joiner = node.replica.joiner
    joiner._theirs[b"k"] = describe(b"k", _entry(theirs), None, False, cluster.now)
    joiner._yield(b"k", _Announcements())
    ((entry, dead),) = given
    assert entry.value is None, "it would stand above the flush, and be back"
    assert dead


def test_a_key_that_the_others_must_have_purged_is_discarded() -> None:
    cluster = _away()
    version = make(1, 5)
    cluster.nodes[3].store.put(b"mine", _entry(version), cluster.now)
    for number in (1, 2):
        cluster.nodes[number].store.horizon = make(1, 6)
    _back(cluster)
    assert [cluster.value(n, b"mine") for n in (1, 2, 3)] == [None] * 3
    assert cluster.nodes[3].store.horizon == make(1, 6)


def test_a_donor_that_falls_silent_leads_to_trouble_and_another_view() -> None:
    cluster = serving_cluster()
    cluster.client(1).send(b"".join(b"set key%d 0 0 1 noreply\r\nx\r\n" % i for i in range(50)))
    cluster.kill(3)
    cluster.advance(100)
    cluster.start(3)
    cut = [False]

    def lose_chunks(number: int) -> None:
        if cluster.members(number) == [1, 2, 3] and not cluster.nodes[3].open and not cut[0]:
            cut[0] = number == 3
            if cut[0]:
                cluster.lose((3, 1))  # the newcomer's question never arrives

    cluster.after_turn = lose_chunks
    troubles = set()
    for _ in range(60):
        cluster.advance(50)
        troubles.add(cluster.nodes[3].replica.state.view_change_reason)
    assert cut[0]
    assert "no chunk from node 1 for 500 ms" in troubles
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert len(cluster.nodes[3].store) == 50


def test_a_newcomers_own_key_that_is_written_while_it_joins_ends_alike_everywhere() -> None:
    cluster = _away()
    cluster.nodes[3].store.put(b"mine", _entry(make(1 << 40, 5)), cluster.now)
    writer = cluster.client(2)

    def write(number: int) -> None:
        if number == 3 and 3 in cluster.members(2) and cluster.nodes[2].serving:
            cluster.after_turn = lambda number: None
            writer.post(b"set mine 0 0 5\r\nnewer\r\n")

    cluster.after_turn = write
    _back(cluster)
    assert writer.take() == b"STORED\r\n"
    assert len({cluster.value(n, b"mine") for n in (1, 2, 3)}) == 1
    assert not any(node.replica.rounds.pending(b"mine") for node in cluster.nodes.values())


# --- what is purged or evicted while somebody is away


def _all_gone(cluster: Cluster, key: bytes) -> bool:
    return all(node.store.is_miss(key, cluster.now) for node in cluster.nodes.values())


def test_a_tombstone_that_the_donor_purges_during_the_transfer_lets_nothing_come_back() -> None:
    cluster = serving_cluster()
    many = b"".join(b"set key%d 0 0 1 noreply\r\nx\r\n" % i for i in range(4_500))
    assert cluster.client(1).send(many + b"set gone 0 0 1\r\nx\r\n") == b"STORED\r\n"
    cluster.hold((3, 1), (3, 2), (1, 3), (2, 3))
    cluster.advance(900)
    fresh = b"".join(b"set key%d 0 0 1 noreply\r\ny\r\n" % i for i in range(4_500))
    assert cluster.client(1).send(fresh + b"delete gone\r\n") == b"DELETED\r\n"
    purged = [False]

    def purge(number: int) -> None:
        chunks = [message for _, _, message in cluster.said if isinstance(message, Chunk)]
        if number == 1 and chunks and not purged[0]:
            purged[0] = True
            assert not chunks[0].last
            assert b"gone" not in {write.key for write in chunks[0].records}
            for node in (1, 2):
                cluster.nodes[node].store.remove(b"gone")

    cluster.after_turn = purge
    _back(cluster)
    assert purged[0]
    assert b"gone" not in {write.key for write in _records(cluster)}
    assert _all_gone(cluster, b"gone")
    assert cluster.client(3).send(b"add gone 0 0 1\r\ny\r\n") == b"STORED\r\n"


def test_what_was_evicted_while_a_node_was_away_does_not_come_back_with_it() -> None:
    memory = 64 * 1_520  # about sixty keys of a thousand bytes
    cluster = serving_cluster(memory=memory)
    value = b"x" * 1_000
    assert cluster.client(1).send(b"set old 0 0 1000\r\n%b\r\n" % value) == b"STORED\r\n"
    cluster.hold((3, 1), (3, 2), (1, 3), (2, 3))
    cluster.advance(900)
    writer = cluster.client(1)
    for i in range(80):
        assert writer.send(b"set key%d 0 0 1000\r\n%b\r\n" % (i, value)) == b"STORED\r\n"
        cluster.advance(50)
    assert cluster.nodes[1].counters.evictions > 0
    assert cluster.nodes[1].store.peek(b"old") is None
    assert cluster.value(3, b"old") == value
    _back(cluster)
    assert _all_gone(cluster, b"old")
    assert "sends round 1 keys that only this node has" not in cluster.logs[3]
    assert all(node.store.used <= memory * 1.1 for node in cluster.nodes.values())


def test_very_many_keys_are_sorted_and_sent_round_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_transfer, "SORTED", 3)
    monkeypatch.setattr(state_transfer, "ANNOUNCED", 2)
    cluster = _away()
    writer = cluster.client(1)
    writer.send(b"".join(b"set key%d 0 0 1\r\ny\r\n" % i for i in range(5)))
    for i in range(20):
        cluster.nodes[3].store.put(b"mine%d" % i, _entry(make(1 << 40, i + 1)), cluster.now)
    sorting: list[int] = []

    def look(number: int) -> None:
        if number == 3:
            sorting.append(sum(len(keys) for keys, _ in cluster.nodes[3].replica.joiner._before))

    cluster.after_turn = look
    _back(cluster)
    assert {30, 27, 24, 3, 0} <= set(sorting)
    for i in range(20):
        assert [cluster.value(n, b"mine%d" % i) for n in (1, 2, 3)] == [b"mine"] * 3
    for i in range(10):
        assert [cluster.value(n, b"key%d" % i) for n in (1, 2, 3)] == [b"y" if i < 5 else b"x"] * 3


# --- how much is on its way


class _Fetching:
    """Node 2, which has nothing yet, and what it asks node 1 for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cluster = serving_cluster(2)
        self.asked: list[int] = []
        self._clock = cluster.nodes[2]._clock
        self._joiner = cluster.nodes[2].replica.joiner
        self._vid = cluster.nodes[2].replica.state.view.vid
        monkeypatch.setattr(self._joiner, "_send", self._send)
        self._joiner.begin(ZERO)

    def _send(self, node: int, message: TransferRequest | ChunkRequest) -> None:
        if isinstance(message, ChunkRequest):
            self.asked.append(message.i)

    def ahead(self, way: int, chunks: int = 20) -> list[int]:
        """How many are on their way behind each chunk, which comes so many ms after it was asked for."""
        on_their_way = []
        due = dict.fromkeys(self.asked, self._clock.now + way)
        for number in range(chunks):
            self._clock.turn(max(self._clock.now, due[number]), self._clock.wall)
            self._joiner.on_chunk(1, Chunk(self._vid, number, [], 0, [], False, ZERO))
            due |= {i: self._clock.now + way for i in self.asked if i not in due}
            on_their_way.append(len(self.asked) - number - 1)
        return on_their_way


@pytest.mark.parametrize("way", [0, 1])
def test_a_newcomer_near_by_asks_for_little_ahead_for_clients_writes_come_behind_it(
    monkeypatch: pytest.MonkeyPatch, way: int
) -> None:
    assert set(_Fetching(monkeypatch).ahead(way)) == {2}


@pytest.mark.parametrize(("way", "most"), [(2, 3), (8, 6), (20, 12), (200, 12)])
def test_a_newcomer_far_away_asks_for_more_when_it_knows_that_it_is(
    monkeypatch: pytest.MonkeyPatch, way: int, most: int
) -> None:
    ahead = _Fetching(monkeypatch).ahead(way)
    assert set(ahead[:7]) == {2}
    assert set(ahead[7:]) == {most}
