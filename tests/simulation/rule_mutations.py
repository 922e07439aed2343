"""Breakages: each rule of replication, broken on purpose. A search that does not notice is no search.

The simulator finds nothing today, which may mean that there is nothing to be found or that it does not look. So
every rule is taken away here, one at a time, and some seed has to show a broken promise: `make broken`. A rule
whose absence nobody notices is either not needed, or its need is not exercised; both are worth knowing. Which
seeds notice changes whenever nodes speak in another order; where none is known a story must (refinements.py).

A breakage replaces as little as can be, of the very class that keeps the rule. The table stands at the end. Its
seeds are hints, to save time: which seed notices changes with whatever the simulator draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from typing import Any, Final

import attrs
from msgspec.structs import replace
from pytest import MonkeyPatch

from memrep.node.clients import Clients
from memrep.node.host_gate import HostGate
from memrep.node.node import Node
from memrep.node.serving import Admission
from memrep.php import lock_commands
from memrep.php.commands import PhpCommands
from memrep.php.dedup import DuplicateWrites
from memrep.php.lock_commands import LockCommands
from memrep.php.lock_index import LockIndex
from memrep.php.lock_names import MEMCACHED_WORD, names_pecl_lock
from memrep.php.lock_table import LockTable
from memrep.protocol.connection import Connection
from memrep.protocol.reply_gate import ReplyGate
from memrep.replication import state_transfer
from memrep.replication.frames import FrameStream
from memrep.replication.membership import history, settlement, view_change
from memrep.replication.membership.leases import Leases
from memrep.replication.membership.missed_nodes import MissedNodes
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.state import ReplicaState
from memrep.replication.message import Ack, Frame, Install, Vote, Write
from memrep.replication.observer import ReplicationObserver
from memrep.replication.replica import Replica
from memrep.replication.rounds import Rounds
from memrep.replication.signs_of_life import SignsOfLife
from memrep.replication.state_transfer import Joiner
from memrep.storage.entry import Entry, RequestId
from memrep.storage.namespaces import FLUSHES
from memrep.storage.pending import Pending
from memrep.storage.store import Store
from memrep.storage.version import ZERO, Clock, Version
from tests.simulation import redis_mutations as redis
from tests.simulation.plan import Broken
from tests.simulation.simulator import simulate


@attrs.frozen
class Breakage:
    """A rule that is taken away.

    Attributes:
        name: what the nodes do wrong then.
        why: what the rule is there for.
        seed: a seed that noticed, once; None if none is known, and a story misses the rule instead.
        breaks: takes the rule away.
        kind: the only kind of run in which the rule matters; empty if it matters in several. The others would
            be searched in vain.
        redis: whether it is one of those that only Redis' clients need; in the search for others there are
            none, so that what they draw changes nothing of it.
    """

    name: str
    why: str
    seed: int | None
    breaks: Callable[[MonkeyPatch], None]
    kind: str = ""
    redis: bool = False

    def caught(self, seed: int) -> str | None:
        """What this seed says of it; None if it does not notice.

        A node that breaks down for another reason is no answer: the breakage does not fit the code any more.
        """
        with MonkeyPatch.context() as patch:
            self.breaks(patch)
            try:
                simulate(seed, self.kind, redis=self.redis)
            except Broken as error:
                return _in_short(error)
        return None


def _in_short(error: Broken) -> str:
    """The promise that was broken, without all that led to it."""
    promise = str(error.__cause__).split("\nThe history:")[0]
    return " ".join(promise.split("\n"))[:200]


# --- serving


def _opens_before_it_has_everything(patch: MonkeyPatch) -> None:
    def end(self: Leases) -> int:
        state = self._state
        full, state.full = state.full, True
        until = real(self)
        state.full = full
        return until

    real = Leases.end
    patch.setattr(Leases, "end", end)
    patch.setattr(Replica, "open", property(lambda self: self.state.view.vid > 0))


def _executes_what_came_while_it_was_stopped(patch: MonkeyPatch) -> None:
    def turn(self: Node, now: int, wall: int, unread: object = None) -> bool:
        self._clock.turn(now, wall)
        return False

    patch.setattr(Node, "turn", turn)


def _lets_later_input_overtake(patch: MonkeyPatch) -> None:
    def receive(self: Clients, connection: Connection, data: bytes) -> bytes:
        kept = self._unheard.pop(connection, b"")
        replies = real(self, connection, data)
        if kept:
            self._unheard[connection] = kept + self._unheard.get(connection, b"")
        return replies

    real = Clients.receive
    patch.setattr(Clients, "receive", receive)


# --- promises and views


def _goes_on_after_its_vote(patch: MonkeyPatch) -> None:
    patch.setattr(ReplicaState, "paused", property(lambda self: self.was_stopped or self.met))


def _drops_what_votes_carry(patch: MonkeyPatch) -> None:
    def settle(*given: Any) -> Install:
        return replace(settlement.settle(*given), settled=[])

    patch.setattr(view_change, "settle", settle)


def _believes_views_unconfirmed(patch: MonkeyPatch) -> None:
    patch.setattr(Leases, "confirmed", property(lambda self: self._state.view.vid > 0))


# --- nodes that may have been left behind


def _serves_whoever_knocks(patch: MonkeyPatch) -> None:
    patch.setattr(HostGate, "lets_in", lambda self, host: True)
    patch.setattr(HostGate, "answers", lambda self, host, since: True)


def _remembers_who_has_heard_nothing(patch: MonkeyPatch) -> None:
    patch.setattr(HostGate, "forget", lambda self, host: None)


def _takes_an_answer_for_a_knock(patch: MonkeyPatch) -> None:
    def answers(self: HostGate, host: str, since: int) -> bool:
        return self._served(host, since)

    patch.setattr(HostGate, "answers", answers)


def _serves_on_when_they_are_back(patch: MonkeyPatch) -> None:
    patch.setattr(SignsOfLife, "_may_be_back", lambda self, peer, *, dead=False: None)


def _takes_who_was_dead_for_a_stranger(patch: MonkeyPatch) -> None:
    patch.setattr(MissedNodes, "may_have_met", lambda self, node: False)


def _settles_flushes_last(patch: MonkeyPatch) -> None:
    real = settlement._moment

    def moment(write: Write) -> Version:
        return Version(b"\xff" * len(write.version)) if write.key in FLUSHES else real(write)

    patch.setattr(settlement, "_moment", moment)
    _settles_flushes_anew(patch)


def _settles_flushes_anew(patch: MonkeyPatch) -> None:
    patch.setattr(settlement, "_ended_at", lambda write, done: None)


def _ends_doubts_though_a_node_is_back(patch: MonkeyPatch) -> None:
    real = SignsOfLife._is_back

    def is_back(self: SignsOfLife, peer: Peer) -> None:
        observer, self._observer = self._observer, ReplicationObserver()
        real(self, peer)
        self._observer = observer

    patch.setattr(SignsOfLife, "_is_back", is_back)


def _takes_flushes_back(patch: MonkeyPatch) -> None:
    patch.setattr(state_transfer, "FLUSHES", frozenset())


def _prefers_the_later_view(patch: MonkeyPatch) -> None:
    def settle(vid: int, members: Mapping[int, int], votes: Mapping[int, Vote], *more: Any) -> Install:
        votes = {node: replace(vote, past=replace(vote.past, activity={})) for node, vote in votes.items()}
        return settlement.settle(vid, members, votes, *more)

    patch.setattr(view_change, "settle", settle)


def _yields_nothing(patch: MonkeyPatch) -> None:
    patch.setattr(settlement, "_yielding", lambda votes, full: [])


def _believes_in_views_that_never_began(patch: MonkeyPatch) -> None:
    patch.setattr(history, "_is_void", lambda *args: False)


def _stamps_without_generations(patch: MonkeyPatch) -> None:
    def stamp(self: Clock, gen: int) -> Version:
        return real(self, 1)

    real = Clock.stamp
    patch.setattr(Clock, "stamp", stamp)


# --- rounds


def _accepts_on_any_base(patch: MonkeyPatch) -> None:
    def accept(self: Rounds, write: Write, before: Pending | None) -> bool:
        real(self, write, before)
        return True

    real = Rounds._accept
    patch.setattr(Rounds, "_accept", accept)


def _lets_a_plain_write_yield(patch: MonkeyPatch) -> None:
    def take_write(self: Rounds, write: Write) -> None:
        before = self._writes.pending.get(write.key)
        if (
            write.base is None
            and before is not None
            and before.base is not None
            and write.version < before.entry.version
        ):
            self._clock.observe(Version(write.version))
        else:
            real(self, write)

    real = Rounds._take_write
    patch.setattr(Rounds, "_take_write", take_write)


def _ignores_gaps(patch: MonkeyPatch) -> None:
    def accept(self: FrameStream, node: int, frame: Frame) -> bool:
        if node in self.taken:
            self.taken[node] = frame.n - 1
        return real(self, node, frame)

    def heard_of(self: FrameStream, node: int, sent: int) -> None:
        if node in self.taken:
            self.taken[node] = sent

    real = FrameStream.accept
    patch.setattr(FrameStream, "accept", accept)
    patch.setattr(FrameStream, "heard_of", heard_of)


def _counts_acknowledgements_for_more(patch: MonkeyPatch) -> None:
    def acknowledged(self: FrameStream, node: int, ack: Ack) -> bool:
        return real(self, node, replace(ack, n=ack.n + 1))

    real = FrameStream.acknowledged
    patch.setattr(FrameStream, "acknowledged", acknowledged)


# --- what was deleted, and who comes back


def _forgets_deletes(patch: MonkeyPatch) -> None:
    def put(self: Store, key: bytes, entry: Entry, now: int) -> bool:
        newer = real(self, key, entry, now)
        if key in self.tombstones:
            horizon = self.horizon
            self.remove(key)
            self.horizon = horizon
        return newer

    real = Store.put
    patch.setattr(Store, "put", put)


def _ignores_the_purge_horizon(patch: MonkeyPatch) -> None:
    def announce(self: Joiner) -> None:
        self._horizon = ZERO
        real(self)

    real = Joiner._announce
    patch.setattr(Joiner, "_announce", announce)


def _announces_what_is_pending(patch: MonkeyPatch) -> None:
    patch.setattr(Rounds, "pending", lambda self, key: False)


# --- PHP


def _executes_copies(patch: MonkeyPatch) -> None:
    patch.setattr(DuplicateWrites, "tenure_of", lambda self, key, fingerprint, only=0: 0)


def _takes_quiet_writes_for_loud_ones(patch: MonkeyPatch) -> None:
    def arrived(
        self: PhpCommands, key: bytes, lock: bytes, fingerprint: int, quiet: bool, same: bool
    ) -> object:
        return real(self, key, lock, fingerprint, False, same)

    real = PhpCommands._arrived
    patch.setattr(PhpCommands, "_arrived", arrived)


def _obeys_foreign_releases(patch: MonkeyPatch) -> None:
    patch.setattr(LockTable, "has_owner", lambda self, key, entry, holder: False)
    patch.setattr(PhpCommands, "_is_current", lambda self, key, entry, release: True)


def _grants_what_is_left_of_the_timeout(patch: MonkeyPatch) -> None:
    def taking(
        self: PhpCommands, key: bytes, grant: Callable[[Entry | None], Entry | None], *rest: object
    ) -> object:
        def grant_the_rest(entry: Entry | None) -> Entry | None:
            new = grant(entry)
            if entry is not None and new is not None:
                new.expires = entry.expires
            return new

        return real(self, key, grant_the_rest, *rest)

    real: Callable[..., object] = PhpCommands._taking
    patch.setattr(PhpCommands, "_taking", taking)


def _lets_pecl_walk(patch: MonkeyPatch) -> None:
    patch.setattr(PhpCommands, "missed", lambda self, key: None)


def _takes_any_lock_for_phps(patch: MonkeyPatch) -> None:
    def kind(self: LockCommands, key: bytes, flags: int, value: bytes) -> str:
        return "lock" if names_pecl_lock(key) or MEMCACHED_WORD in key else real(self, key, flags, value)

    real = LockCommands._kind_of_add
    patch.setattr(LockCommands, "_kind_of_add", kind)


def _knows_no_lock_before_it_has_come(patch: MonkeyPatch) -> None:
    patch.setattr(LockIndex, "proposed", lambda self, key, entry: None)


def _takes_equal_writes_for_copies(patch: MonkeyPatch) -> None:
    def accepted(
        self: DuplicateWrites, key: bytes, fingerprint: int, tenure: int, *, original: bool = False
    ) -> RequestId:
        return real(self, key, fingerprint, 1, original=False)

    real = DuplicateWrites.accepted
    patch.setattr(DuplicateWrites, "accepted", accepted)
    patch.setattr(PhpCommands, "_may_be_the_holders", lambda self, *args: False)


def _tells_of_what_may_be_a_copy_at_once(patch: MonkeyPatch) -> None:
    patch.setattr(PhpCommands, "_may_be_the_holders", lambda self, *args: False)


def _knows_php_memcached_by_its_name_only(patch: MonkeyPatch) -> None:
    patch.setattr(lock_commands, "may_name", lambda key: b"")


def _tells_of_the_lock_at_once(patch: MonkeyPatch) -> None:
    patch.setattr(ReplyGate, "hold", lambda self: None)


def _never_refuses(patch: MonkeyPatch) -> None:
    look = Admission.look

    def lenient(self: Admission, items: Sized) -> None:
        self._served = self._clock.now
        look(self, items)

    patch.setattr(Admission, "look", lenient)


def _goes_on_beside_who_is_deaf(patch: MonkeyPatch) -> None:
    patch.setattr(view_change, "gives_way_to", lambda *args: None)
    patch.setattr(view_change, "deaf_rival", lambda *args: None)


def _lets_the_clock_stand(patch: MonkeyPatch) -> None:
    def turn(self: Clock, now: int, wall: int) -> None:
        self.now, self.wall = now, wall
        self._wall_logical = wall << 14

    patch.setattr(Clock, "turn", turn)


def _votes_beside_who_is_deaf(patch: MonkeyPatch) -> None:
    patch.setattr(view_change, "deaf_rival", lambda *args: None)


_ALL = [
    Breakage(
        "opens-before-it-has-everything",
        "who has just started would answer with misses",
        37,
        _opens_before_it_has_everything,
    ),
    Breakage(
        "executes-what-came-while-it-was-stopped",
        "clients have given up and done the same elsewhere since",
        229,
        _executes_what_came_while_it_was_stopped,
    ),
    Breakage(
        "lets-later-input-overtake",
        "the end of a request would be executed before its beginning",
        715,
        _lets_later_input_overtake,
    ),
    Breakage(
        "drops-what-votes-carry",
        "of a write that was answered only pending entries may be left",
        2,
        _drops_what_votes_carry,
    ),
    Breakage(
        "accepts-on-any-base",
        "of two read-modify-writes one would be lost",
        2,
        _accepts_on_any_base,
    ),
    Breakage(
        "lets-a-plain-write-yield",
        "one node would ignore it while another objects to its rival, and nobody's write stays",
        2,
        _lets_a_plain_write_yield,
    ),
    Breakage(
        "ignores-gaps",
        "a lost frame is a lost write",
        21,
        _ignores_gaps,
    ),
    Breakage(
        "counts-acknowledgements-for-more",
        "a write that shares its frame with commits would be answered before the others have it",
        1,
        _counts_acknowledgements_for_more,
    ),
    Breakage(
        "forgets-deletes",
        "who comes back would revive what was deleted",
        36,
        _forgets_deletes,
    ),
    Breakage(
        "ignores-the-purge-horizon",
        "the same, once tombstones are purged",
        516,
        _ignores_the_purge_horizon,
    ),
    Breakage(
        "executes-copies",
        "a late copy undoes what the next request has written",
        2,
        _executes_copies,
    ),
    Breakage(
        "takes-quiet-writes-for-loud-ones",
        "php-memcached's late copies undo what the next request has written",
        36,
        _takes_quiet_writes_for_loud_ones,
    ),
    Breakage(
        "obeys-foreign-releases",
        "a late copy of a release frees the next request's lock",
        3,
        _obeys_foreign_releases,
    ),
    Breakage(
        "takes-any-lock-for-phps",
        "a site's own lock on a page would end with its connection, and its delete be ignored",
        2,
        _takes_any_lock_for_phps,
    ),
    Breakage(
        "takes-equal-writes-for-copies",
        "a session that was on and off could not be on again",
        6,
        _takes_equal_writes_for_copies,
    ),
    Breakage(
        "tells-of-what-may-be-a-copy-at-once",
        "a write is told to be stored that only the node with the lock has, and that may die",
        114,
        _tells_of_what_may_be_a_copy_at_once,
    ),
    Breakage(
        "knows-php-memcached-by-its-name-only",
        "late copies would undo updates where the prefix is a site's own",
        36,
        _knows_php_memcached_by_its_name_only,
    ),
    Breakage(
        "tells-of-the-lock-at-once",
        "PHP takes a session that it is not shown for empty, and overwrites it",
        2,
        _tells_of_the_lock_at_once,
    ),
    Breakage(
        "lets-pecl-walk",
        "PHP goes on from a session that does not exist to the next node, where it meets its own lock",
        2,
        _lets_pecl_walk,
    ),
    Breakage(
        "goes-on-after-its-vote",
        "acknowledges, commits and serves in a view that others have left (the rest would cover one alone)",
        19,
        _goes_on_after_its_vote,
    ),
    Breakage(
        "stamps-without-generations",
        "clocks alone would let a minority's writes outrank a majority's",
        393,
        _stamps_without_generations,
    ),
    Breakage(
        "serves-whoever-knocks",
        "a node that was cut off shows what is old until it has met the others",
        151,
        _serves_whoever_knocks,
    ),
    Breakage(
        "takes-an-answer-for-a-knock",
        "who asked before the cut is no sign that its host is on this side of it",
        796,
        _takes_an_answer_for_a_knock,
    ),
    Breakage(
        "remembers-who-has-heard-nothing",
        "whoever asked while the others were stopped may be cut off a moment later, and come back as known",
        None,
        _remembers_who_has_heard_nothing,
        "spiteful",
    ),
    Breakage(
        "serves-on-when-they-are-back",
        "until there is a view with those who are heard again, what is here is old",
        517,
        _serves_on_when_they_are_back,
    ),
    Breakage(
        "prefers-the-later-view",
        "of two sides without a majority the one without clients would be taken for the newer",
        812,
        _prefers_the_later_view,
    ),
    Breakage(
        "yields-nothing",
        "what was in flight at a cut overwrites what the side with clients has gone on from",
        None,
        _yields_nothing,
        "isolated",
    ),
    Breakage(
        "believes-in-views-that-never-began",
        "of two halves the one without clients would be taken for the newer, if it was cut off as a view began",
        None,
        _believes_in_views_that_never_began,
        "spiteful",
    ),
    Breakage(
        "never-refuses",
        "a node neither serves nor refuses for as long as a fault lasts, and PHP hangs",
        341,
        _never_refuses,
    ),
    Breakage(
        "goes-on-beside-who-is-deaf",
        "of two nodes of which one hears the other both go on, and clients reach both",
        227,
        _goes_on_beside_who_is_deaf,
    ),
    Breakage(
        "lets-the-clock-stand",
        "a node whose wall clock is slow stamps all it accepts in a cut before what was stamped before it",
        None,
        _lets_the_clock_stand,
        "spiteful",
    ),
    Breakage(
        "votes-beside-who-is-deaf",
        "the same, if the proposer does not hear it and the voter does",
        662,
        _votes_beside_who_is_deaf,
        "split",
    ),
    Breakage(
        "grants-redis-locks-without-agreement",
        "two requests of one session would have its lock",
        355,
        redis.grants_without_agreement,
        redis=True,
    ),
    Breakage(
        "releases-without-comparing",
        "whoever is late would release the next holder's lock",
        220,
        redis.releases_without_comparing,
        redis=True,
    ),
    Breakage(
        "knows-no-lock-before-it-has-come",
        "a late copy of a release would free the next request's lock, under a prefix that nobody has declared",
        2833,
        _knows_no_lock_before_it_has_come,
    ),
    Breakage(
        "takes-who-was-dead-for-a-stranger",
        "what a node holds that was cut off would be served while the first one heard has met the others",
        6618,
        _takes_who_was_dead_for_a_stranger,
        redis=True,
    ),
    Breakage(
        "settles-flushes-last",
        "what was written behind a flush would be acknowledged, and gone with it",
        8656,
        _settles_flushes_last,
        redis=True,
    ),
    Breakage(
        "settles-flushes-anew",
        "what was written and committed behind a flush of a node that died would be gone with it",
        None,
        _settles_flushes_anew,
        redis=True,
    ),
    Breakage(
        "ends-doubts-though-a-node-is-back",
        "a request that waits at a node which was cut off, and then died, would go on without its lock",
        7841,
        _ends_doubts_though_a_node_is_back,
    ),
    Breakage(
        "takes-flushes-back",
        "what such a flush had ended would be there on some nodes and not on others, for good",
        None,
        _takes_flushes_back,
        redis=True,
    ),
    Breakage(
        "leaves-phpredis-locks-behind",
        "a lock without a timeout would outlive its request for ever",
        14,
        redis.leaves_locks_behind,
        redis=True,
    ),
    Breakage(
        "renews-what-it-saw-first",
        "EXPIRE would undo what was written meanwhile",
        46,
        redis.renews_what_it_saw_first,
        redis=True,
    ),
    Breakage(
        "looks-at-watches-once",
        "of two rivals both would succeed",
        46,
        redis.looks_at_watches_once,
        redis=True,
    ),
    Breakage(
        "does-a-queue-piecemeal",
        "others would see a key in the midst of a transaction",
        10,
        redis.does_a_queue_piecemeal,
        redis=True,
    ),
    Breakage(
        "answers-who-was-given-up",
        "a reply would be taken for that to an earlier command",
        224,
        redis.answers_who_was_given_up,
        redis=True,
    ),
]

#: By name.
BREAKAGES: Final = {breakage.name: breakage for breakage in _ALL}
