"""The replica: one node's whole part in replication, where membership, rounds and transfer meet.

It dispatches what peers send, installs views, and collects what goes out. It does no I/O: the shell tells it
which links open and close (signs_of_life.py) and hands it messages; it returns bytes for each peer.

The order of what goes out in one turn matters and is kept here: frames before acknowledgements (an objection
must be seen before the acknowledgement behind it), both before heartbeats (which tell how many frames there
were), and a view before the frames of that view.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from memrep.events import Tell
from memrep.replication.donor import Donor
from memrep.replication.frames import FrameStream
from memrep.replication.heartbeat import Heartbeats
from memrep.replication.later_views import OF_A_VIEW, LaterViews
from memrep.replication.membership.event_log import MembershipLog
from memrep.replication.membership.leases import Leases
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.view import horizon_of, out_of_touch
from memrep.replication.membership.view_change import ViewChange
from memrep.replication.message import (
    Ack,
    Chunk,
    ChunkRequest,
    ColdInstall,
    ColdVote,
    Frame,
    Heartbeat,
    Install,
    LeaseGrant,
    PeerMessage,
    Propose,
    Refuse,
    Relay,
    TransferRequest,
    Vote,
)
from memrep.replication.observer import ReplicationObserver
from memrep.replication.outbox import Outbox
from memrep.replication.recovery import Recovery
from memrep.replication.relay import Bridge, Routes
from memrep.replication.rounds import Rounds
from memrep.replication.signs_of_life import SignsOfLife
from memrep.replication.state_transfer import Joiner
from memrep.replication.votes import make_vote
from memrep.replication.wire import encode
from memrep.storage.pending import PendingWrites
from memrep.storage.snapshot import Snapshot
from memrep.storage.store import Store


class Replica:
    """One node among its peers.

    Args:
        membership: where this node stands: nowhere yet; its peers, the constants and the time.
        store: the committed entries.
        writes: the pending ones.
        observer: told of others' writes, and of owners that are lost.
        log: takes a line for the operator.
        snapshot: what this node has brought back from its disk, if anything.

    Attributes:
        state: view, promise, fullness.
        detector: the peers.
        leases: until when clients' commands may be executed.
        signs: takes what links show of the peers.
        rounds: the writes on their way; the engine's `Replicator`.
        stream: what is said of them, and heard.
        joiner: how far this node has come with fetching what it lacks.
        heartbeats: what this node says of itself, and when.
        news: what is logged.
    """

    def __init__(
        self,
        membership: Membership,
        store: Store,
        writes: PendingWrites,
        observer: ReplicationObserver,
        log: Tell,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.state = membership.state
        self.detector = membership.detector
        self._clock = membership.clock
        self._store = store
        self._observer = observer
        self._late = 2 * membership.timing.beat  # without a word from a member
        self.news = MembershipLog(membership, log)
        self._outbox = Outbox(self.state, self.detector)
        self._routes = Routes(membership)
        self.stream = FrameStream(self.state)
        self._later = LaterViews()
        self.heartbeats = Heartbeats(membership, self.stream, self._send)
        self.rounds = Rounds(self.state, self.stream, store, writes, self._clock, observer)
        self._donor = Donor(self.state, store, self._clock)
        self._recovery = Recovery(snapshot, store, self._clock)
        self.joiner = Joiner(membership, store, self.rounds, self._recovery, self._send, log)
        self._view_change = ViewChange(membership, self._make_vote, self._send, self._install)
        self.leases = Leases(self.state, self.detector, membership.timing)
        self.signs = SignsOfLife(membership, self.leases, self._view_change, self.heartbeats, observer)
        self._bridge = Bridge(self.state.me, self.signs, self._outbox, log)
        # A node without peers waits for nobody: it forms its view now, and serves from its first turn on.
        if len(membership.names) == 1:
            self._view_change.consider()
            self.leases.weigh()

    # --- what the shell asks and tells

    @property
    def missed(self) -> list[int]:
        """Return the nodes that may have gone on without this one: what it holds may be old."""
        return self.detector.missed.nodes

    @property
    def may_serve(self) -> bool:
        """Tell whether clients' commands may be executed now. A peer's message in this very turn may end it."""
        return self._clock.now < self.leases.serves_until

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing here waits for the clock: this node serves, and no member's word is overdue."""
        if self._view_change.needed or self.missed or not (self.state.full and self.may_serve):
            return False
        return self._clock.now - self.detector.all_heard(self._clock.now) < self._late

    @property
    def open(self) -> bool:
        """Tell whether the client port is open: all is held here, and others need not be awaited (S2, J4)."""
        state = self.state
        if not state.full or not state.view.vid:
            return False
        return not state.strict or (state.view.quorate and self.detector.meets_majority(self._clock.now))

    @property
    def leaving(self) -> bool:
        """Tell whether this node is about to stop."""
        return self.heartbeats.leaving

    def leave(self) -> None:
        """Tell the others that this node stops, so that they go on at once."""
        self.heartbeats.leaving = True
        self.heartbeats.hurry()

    def lost_clients(self) -> None:
        """Let the others know that this node closed its clients' connections: their locks are no client's."""
        self.state.lose_clients()

    def was_stopped(self, ms: int) -> None:
        """Note that this process was stopped for so long: the others may have gone on without it (rule T1)."""
        self._observer.out_of_touch()
        self.state.stopped(ms)
        self.detector.was_stopped(self._clock.now)
        self._view_change.was_stopped()
        self.leases.weigh()
        self.heartbeats.hurry()

    def tick(self) -> None:
        """Do what is due by the clock; see `Node.pause`."""
        self.joiner.tick()
        self._routes.consider()
        self.heartbeats.tick()
        # Who leaves takes part in views, but asks for none: the others would wait for it once more.
        if not self.leaving:
            self._view_change.consider()
        self.leases.weigh()
        self.news.report()

    # --- what peers send

    def receive(self, node: int, message: PeerMessage) -> bool:
        """Act on a message of a peer; return whether it is of writes alone, and changes nothing else."""
        kind = type(message)
        if isinstance(message, OF_A_VIEW) and message.vid > self.state.view.vid:
            self._later.hold(node, message)  # F1
            return False
        self._on[kind](self, node, message)
        # Frames and acknowledgements are most of what comes, and change nothing of what leases hang on.
        of_writes = kind is Frame or kind is Ack
        if not of_writes:
            self.leases.weigh()
        return of_writes

    def _on_frame(self, node: int, message: Frame) -> None:
        state = self.state
        # M6: who has promised a later view takes nothing more in this one, so it acknowledges nothing more.
        if message.vid == state.view.vid and not state.paused and self.stream.accept(node, message):
            for item in message.items:
                self.rounds.take(node, item)

    def _on_ack(self, node: int, message: Ack) -> None:
        if message.vid == self.state.view.vid and self.stream.acknowledged(node, message):
            self.rounds.progress()

    def _on_heartbeat(self, node: int, message: Heartbeat) -> None:
        peer = self.detector.peers[node]
        view = self.state.view
        self._view_change.saw_promise(message.promised)
        self.heartbeats.came(peer, message)
        self._has_installed(peer, message.vid)
        if message.leaving:
            self.signs.took_leave(peer)
        elif self.heartbeats.is_of_this_view(peer, message):
            self.heartbeats.answer(peer, message)
        elif message.vid < view.vid and view.members.get(node) == peer.process.inc:
            self._view_change.remind(peer)

    def _on_lease_grant(self, node: int, message: LeaseGrant) -> None:
        peer = self.detector.peers[node]
        # Who answers in a view stands in it; that may be known by this before its own heartbeat comes.
        self._has_installed(peer, message.vid)
        self.leases.granted(peer, message.vid, message.at)
        self.heartbeats.answered(node, message.at)

    def _has_installed(self, peer: Peer, vid: int) -> None:
        """Note that this peer stands in this view; when all members do, what it has settled may be told."""
        if peer.stands_in(vid):
            self._confirm()

    def _confirm(self) -> None:
        # Finding 1. A promise stops this, too: a later view may have settled the same otherwise.
        if self.leases.confirmed and not self.state.paused:
            self.state.confirmed()
            self.rounds.settled.confirmed()

    def _on_relay(self, node: int, message: Relay) -> None:
        for one in self._bridge.take(node, message):
            self.receive(message.origin, one)

    def _on_propose(self, node: int, message: Propose) -> None:
        self._view_change.on_propose(node, message)

    def _on_vote(self, node: int, message: Vote) -> None:
        self._view_change.on_vote(node, message)

    def _on_refuse(self, node: int, message: Refuse) -> None:
        self._view_change.on_refuse(node, message)

    def _on_install(self, node: int, message: Install) -> None:
        state = self.state
        # M8: not below what it has promised, and not under the name of a former process of this node's.
        new = message.vid > state.view.vid and message.vid >= state.promised
        if new and message.members.get(state.me) == state.inc:
            self._install(message)

    def _on_transfer_request(self, node: int, message: TransferRequest) -> None:
        self._donor.on_transfer_request(node, message)

    def _on_chunk_request(self, node: int, message: ChunkRequest) -> None:
        chunk = self._donor.on_chunk_request(node, message)
        if chunk is not None:
            self._send(node, chunk)

    def _on_chunk(self, node: int, message: Chunk) -> None:
        self.joiner.on_chunk(node, message)
        self.joiner.tick()

    _on: Final[dict[type, Callable[..., None]]] = {
        Frame: _on_frame,
        Ack: _on_ack,
        Heartbeat: _on_heartbeat,
        LeaseGrant: _on_lease_grant,
        Propose: _on_propose,
        Vote: _on_vote,
        Refuse: _on_refuse,
        ColdVote: _on_vote,
        Install: _on_install,
        ColdInstall: _on_install,
        TransferRequest: _on_transfer_request,
        ChunkRequest: _on_chunk_request,
        Chunk: _on_chunk,
        Relay: _on_relay,
    }

    # --- views

    def _make_vote(self, vid: int) -> Vote:
        vote = make_vote(vid, self.state, self.rounds, self._store, self._clock)
        return self._recovery.vote(vote, self.detector.hears_full(self._clock.now))

    def _install(self, message: Install) -> None:
        """Begin a view: nothing is in flight, counters and leases start anew (rule M8)."""
        state = self.state
        before, was_full, apart = state.view, state.full, state.apart
        troubles = self.news.troubles()
        state.install(message)
        keep = state.full
        brought = self._recovery.adopt(message.full) if keep else 0
        self._store.joining = not keep
        self.stream.reset()
        away = out_of_touch(message)
        if away:
            self._observer.out_of_touch()
        # Finding 22: who are missed since an earlier view may live as well, and clients are held back for them.
        away = away or self.missed
        self.rounds.end(message, keep, away)
        # Finding 21: behind what was settled, for that may be owned by those clients, too.
        if message.lost:
            disowned = self._store.disown(message.lost)
            self._observer.owners_lost(disowned, message.lost, message.silent, away)
        self.detector.installed(self._clock.now, before.members)
        self._view_change.installed(message)
        self._donor.reset()
        self.joiner.cancel()
        self.news.installed(before, was_full, troubles, brought)
        if not keep:
            self._recovery.counts = isinstance(message, ColdInstall)
            self.joiner.begin(horizon_of(message), apart if state.me in message.yields else 0)
        self.signs.view_began(self._view_change.promised_at)
        # A view of one is confirmed by itself; in a larger one others may have shown it already.
        self._confirm()
        self.heartbeats.hurry()
        for node, late in self._later.release(message):
            self.receive(node, late)

    # --- what goes out

    def _send(self, node: int, message: PeerMessage) -> None:
        self._outbox.tell((node,), encode(message))

    def take(self) -> list[tuple[int, bytes]]:
        """End the turn; return the bytes for each peer to which there is something to say."""
        self.rounds.progress()
        stream = self.stream
        if stream.unsent:
            # What is said to every member is encoded once for all of them.
            for frame in stream.take_frames():
                self._outbox.tell(stream.others, encode(frame))
        if stream.owed and not self.state.paused:
            for node, ack in stream.take_acks():
                self._send(node, ack)
        beat = self.heartbeats.take()
        if beat is not None:
            self._outbox.tell(self.detector.peers, encode(beat))
            # R1: on the cut link, too, but there it must not speak of frames that go round.
            if self._routes.detours:
                self._outbox.probe = encode(msgspec.structs.replace(beat, sent=0))
        return self._outbox.take()
