"""Rounds: writes of one key that meet on their way, at whole nodes; and what only a view can bring."""

from __future__ import annotations

from random import Random

import attrs
import pytest

from memrep.replication.frames import FrameStream
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.view import View
from memrep.replication.message import Ack, Frame, Install, Nack, Settled, Write, describe
from memrep.replication.observer import ReplicationObserver
from memrep.replication.rounds import Rounds
from memrep.storage.entry import NEVER, Entry
from memrep.storage.pending import PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import ZERO, Clock, Version, make
from tests.harness.cluster import Client, Cluster, serving_cluster

SEEDS = range(20)


def _meet(seed: int, first: bytes, second: bytes, before: bytes = b"") -> tuple[Cluster, list[bytes]]:
    """Two commands at two nodes, neither of which has heard of the other; then a random order of arrival."""
    cluster = serving_cluster()
    if before:
        cluster.client(3).send(before)
    clients = [cluster.client(1), cluster.client(2)]
    for client, command in zip(clients, (first, second), strict=True):
        client.post(command)
    cluster.shuffle(Random(seed))
    cluster.advance(100)
    return cluster, [client.take() for client in clients]


def _values(cluster: Cluster, key: bytes = b"n") -> list[bytes | None]:
    return [cluster.value(n, key) for n in cluster.nodes]


@pytest.mark.parametrize("seed", SEEDS)
def test_two_increments_of_one_number_give_each_number_once(seed: int) -> None:
    cluster, replies = _meet(seed, b"incr n 1\r\n", b"incr n 1\r\n", b"set n 0 0 1\r\n0\r\n")
    assert sorted(replies) == [b"1\r\n", b"2\r\n"]
    assert _values(cluster) == [b"2"] * 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plain_write_displaces_an_increment_which_is_computed_again_on_it(seed: int) -> None:
    cluster, replies = _meet(seed, b"incr n 1\r\n", b"set n 0 0 2\r\n10\r\n", b"set n 0 0 1\r\n0\r\n")
    assert replies == [b"11\r\n", b"STORED\r\n"]
    assert _values(cluster) == [b"11"] * 3


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_holds_when_the_plain_write_is_the_older_one(seed: int) -> None:
    cluster, replies = _meet(seed, b"set n 0 0 2\r\n10\r\n", b"incr n 1\r\n", b"set n 0 0 1\r\n0\r\n")
    assert replies == [b"STORED\r\n", b"11\r\n"]
    assert _values(cluster) == [b"11"] * 3


@pytest.mark.parametrize("seed", SEEDS)
def test_of_two_plain_writes_the_newer_one_stands_everywhere_and_both_are_answered(seed: int) -> None:
    cluster, replies = _meet(seed, b"set n 0 0 1\r\na\r\n", b"set n 0 0 1\r\nb\r\n")
    assert replies == [b"STORED\r\n"] * 2
    assert _values(cluster) == [b"b"] * 3  # both of one millisecond: the higher node number decides


@pytest.mark.parametrize("seed", SEEDS)
def test_of_two_deletes_one_deletes_and_the_other_finds_nothing(seed: int) -> None:
    cluster, replies = _meet(seed, b"delete n\r\n", b"delete n\r\n", b"set n 0 0 1\r\n0\r\n")
    assert sorted(replies) == [b"DELETED\r\n", b"NOT_FOUND\r\n"]
    assert _values(cluster) == [None] * 3


@pytest.mark.parametrize("seed", SEEDS)
def test_of_two_cas_with_one_unique_one_stores(seed: int) -> None:
    cluster = serving_cluster()
    cluster.client(3).send(b"set n 0 0 1\r\n0\r\n")
    unique = cluster.client(1).send(b"gets n\r\n").split(b"\r\n")[0].split(b" ")[4]
    assert cluster.client(2).send(b"gets n\r\n").split(b"\r\n")[0].split(b" ")[4] == unique
    clients = [cluster.client(1), cluster.client(2)]
    for client in clients:
        client.post(b"cas n 0 0 1 %b\r\n1\r\n" % unique)
    cluster.shuffle(Random(seed))
    cluster.advance(100)
    assert sorted(client.take() for client in clients) == [b"EXISTS\r\n", b"STORED\r\n"]


@pytest.mark.parametrize("seed", SEEDS)
def test_increments_at_three_nodes_count_once_each_even_if_one_of_them_is_killed(seed: int) -> None:
    rng = Random(seed)
    cluster = serving_cluster()
    cluster.client(1).send(b"set n 0 0 1\r\n0\r\n")
    clients: dict[int, Client] = {n: cluster.client(n) for n in (1, 2, 3)}
    for client in clients.values():
        client.post(b"incr n 1\r\n" * 2)
    cluster.shuffle(rng, steps=rng.randrange(12))
    cluster.kill(3)
    cluster.shuffle(rng)
    cluster.advance(500)
    dead = [int(n) for n in clients[3].take().split()]
    answered = [int(n) for number in (1, 2) for n in clients[number].take().split()]
    assert len(answered) == 4
    assert len({*answered, *dead}) == len(answered) + len(dead)
    assert _values(cluster) == [_values(cluster)[0]] * 2
    final = int(_values(cluster)[0] or b"")
    assert 4 + len(dead) <= final <= 6
    assert final >= max([*answered, *dead])


@pytest.mark.parametrize(("adder", "purger"), [(1, 2), (2, 1), (1, 1), (3, 2)])
def test_an_add_succeeds_where_one_node_has_purged_the_tombstone_and_others_have_not(
    adder: int, purger: int
) -> None:
    cluster = serving_cluster()
    assert cluster.client(1).send(b"set n 0 0 1\r\n0\r\ndelete n\r\n") == b"STORED\r\nDELETED\r\n"
    cluster.nodes[purger].store.remove(b"n")
    assert cluster.client(adder).send(b"add n 0 0 1\r\n7\r\n") == b"STORED\r\n"
    assert _values(cluster) == [b"7"] * 3


def test_a_write_that_lost_leaves_nothing_pending_behind() -> None:
    for seed in SEEDS:
        cluster, _ = _meet(seed, b"incr n 1\r\n", b"set n 0 0 2\r\n10\r\n", b"set n 0 0 1\r\n0\r\n")
        assert [len(node.replica.rounds) for node in cluster.nodes.values()] == [0, 0, 0]
        assert not any(node.replica.rounds.pending(b"n") for node in cluster.nodes.values())


def test_the_lag_of_a_member_is_the_writes_that_it_has_not_acknowledged() -> None:
    cluster = serving_cluster(4)
    cluster.kill(4)
    cluster.advance(200)
    node = cluster.nodes[1].replica
    cluster.hold((1, 3))
    client = cluster.client(1)
    client.send(b"set a 0 0 1\r\nx\r\nset b 0 0 1\r\nx\r\n")
    assert [node.rounds.lag(number) for number in (2, 3, 4)] == [0, 2, 0]
    cluster.release()
    assert client.take() == b"STORED\r\n" * 2
    assert [node.rounds.lag(number) for number in (2, 3, 4)] == [0, 0, 0], "that both are committed is no write"


# --- what only a change of view can bring


@attrs.define
class _Attempt:
    """Counts what it is told."""

    answered: int = 0
    lost: int = 0

    def committed(self) -> None:
        self.answered += 1

    def aborted(self) -> None:
        self.lost += 1


class _Room:
    """The rounds of node 1 of three, and what they stand on."""

    def __init__(self, *, full: bool = True) -> None:
        view = View(vid=64, gen=1, members={1: 1, 2: 2, 3: 3}, full=frozenset([1, 2, 3]), quorate=True)
        self.state = ReplicaState(1, 1, 3, view=view, promised=64, full=full)
        self.stream = FrameStream(self.state)
        self.stream.reset()
        self.store = Store(64 << 20)
        self.writes = PendingWrites()
        self.clock = Clock(1, 1_000, 1_000)
        self.rounds = Rounds(
            self.state, self.stream, self.store, self.writes, self.clock, ReplicationObserver()
        )

    def propose(self, attempt: _Attempt, base: Version | None = ZERO) -> Version:
        entry = Entry(ZERO, b"1", 0, NEVER)
        self.rounds.propose(b"n", entry, base, attempt)
        return entry.version

    def settled(self, origin: Version | None) -> Install:
        """The next view; it has settled the write of this origin."""
        done = []
        if origin is not None:
            write = describe(b"n", Entry(make(2, 999 << 20), b"1", 0, NEVER), None, False, 1_000)
            done = [Settled(write, origin)]
        return Install(128, 2, {1: 1, 2: 2}, [1, 2], True, done, ZERO)


def test_a_aborted_write_that_a_view_settles_is_answered_once_when_the_view_is_confirmed() -> None:
    room, attempt = _Room(), _Attempt()
    origin = room.propose(attempt)
    room.rounds.take(2, Nack(b"n", origin))
    assert (attempt.answered, attempt.lost) == (0, 1)
    room.rounds.end(room.settled(origin), keep=True, away=[])
    assert attempt.answered == 0
    assert len(room.rounds) == 1
    room.rounds.settled.confirmed()
    room.rounds.settled.confirmed()
    assert (attempt.answered, attempt.lost) == (1, 1)
    assert len(room.rounds) == 0


def test_a_aborted_write_is_forgotten_once_every_member_has_taken_the_abort() -> None:
    room, attempt = _Room(), _Attempt()
    origin = room.propose(attempt)
    room.rounds.take(2, Nack(b"n", origin))
    room.stream.take_frames()
    for node in (2, 3):
        room.stream.acknowledged(node, Ack(64, room.stream.sent, 0))
    room.rounds.progress()
    room.rounds.end(room.settled(origin), keep=True, away=[])
    room.rounds.settled.confirmed()
    assert attempt.answered == 0


def test_a_aborted_write_that_was_tried_again_counts_by_its_new_version_only() -> None:
    room, attempt = _Room(), _Attempt()
    origin = room.propose(attempt)
    room.rounds.take(2, Nack(b"n", origin))
    again = room.propose(attempt)
    assert again > origin
    room.rounds.end(room.settled(again), keep=True, away=[])
    room.rounds.settled.confirmed()
    assert attempt.answered == 1


def test_what_a_view_cuts_short_is_over_and_whoever_waited_for_its_key_goes_on() -> None:
    room, attempt = _Room(), _Attempt()
    room.propose(attempt)
    woken: list[str] = []
    room.writes.wait(b"n", lambda: woken.append("n"))
    room.rounds.end(room.settled(None), keep=True, away=[])
    assert (attempt.answered, attempt.lost) == (0, 1)
    assert (len(room.rounds), room.writes.pending, room.writes.flow.round) == (0, {}, 0)
    assert len(room.writes.woken) == 1
    room.stream.reset()
    room.rounds.progress()
    assert (attempt.answered, attempt.lost) == (0, 1), "what is over is not told again"


def test_nothing_is_committed_while_a_promise_pauses_the_node() -> None:
    room, attempt = _Room(), _Attempt()
    room.propose(attempt)
    room.stream.take_frames()
    for node in (2, 3):
        room.stream.acknowledged(node, Ack(64, 1, 0))
    room.state.promised = 128
    room.rounds.progress()
    assert attempt.answered == 0
    room.state.promised = 64
    room.rounds.progress()
    assert attempt.answered == 1


def test_what_a_write_took_is_noted_when_it_ends_and_by_a_view_too_if_this_nodes_data_count() -> None:
    room = _Room()
    room.propose(_Attempt())
    room.stream.take_frames()
    for node in (2, 3):
        room.stream.acknowledged(node, Ack(64, 1, 0))
    room.clock.turn(1_004, 1_004)
    room.rounds.progress()
    assert (room.rounds.times.count, room.rounds.times.total_ms) == (1, 4)
    room.propose(_Attempt())
    room.clock.turn(1_404, 1_404)
    room.rounds.end(room.settled(None), keep=True, away=[])
    assert (room.rounds.times.count, room.rounds.times.total_ms, room.rounds.times.slow) == (2, 404, 1)
    room.propose(_Attempt())
    room.rounds.end(room.settled(None), keep=False, away=[])
    assert room.rounds.times.count == 2


def _write(version: Version, base: Version | None, dead: bool = False) -> Write:
    return describe(b"n", Entry(version, b"9", 0, NEVER), base, dead, 1_000)


def _objections(room: _Room) -> list[bytes]:
    frames: list[Frame] = room.stream.take_frames()
    return [item.version for frame in frames for item in frame.items if isinstance(item, Nack)]


def test_a_read_modify_write_on_an_overtaken_base_is_objected_to() -> None:
    room = _Room()
    room.store.put(b"n", Entry(make(1, 50), b"1", 0, NEVER), 1_000)
    room.rounds.take(2, _write(make(1, 90), make(1, 40)))
    assert _objections(room) == [make(1, 90)]
    assert not room.rounds.pending(b"n")


def test_a_member_that_is_not_full_does_not_object_to_a_base_it_has_not_got() -> None:
    room = _Room(full=False)
    room.rounds.take(2, _write(make(1, 90), make(1, 40)))
    assert _objections(room) == []
    assert room.rounds.pending(b"n")


def test_a_base_that_is_still_pending_is_thereby_known_to_be_committed() -> None:
    room = _Room()
    room.rounds.take(3, _write(make(1, 40), None))
    room.rounds.take(2, _write(make(1, 90), make(1, 40)))
    assert _objections(room) == []
    assert room.store.version(b"n") == make(1, 40)
    assert room.rounds.pending(b"n")


def test_a_read_modify_write_on_its_way_does_not_displace_a_plain_write() -> None:
    room = _Room()
    room.store.put(b"n", Entry(make(1, 50), b"1", 0, NEVER), 1_000)
    room.rounds.take(3, _write(make(1, 60), None))
    room.rounds.take(2, _write(make(1, 90), make(1, 50)))
    assert _objections(room) == [make(1, 90)]
    assert room.writes.pending[b"n"].entry.version == make(1, 60)


def test_a_plain_write_that_is_older_than_what_is_here_is_taken_without_objection_and_without_effect() -> None:
    room = _Room()
    room.store.put(b"n", Entry(make(1, 50), b"1", 0, NEVER), 1_000)
    room.rounds.take(2, _write(make(1, 40), None))
    assert _objections(room) == []
    assert not room.rounds.pending(b"n")
