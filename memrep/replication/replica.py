"""The replica: one node's whole part in replication, where view, rounds, presence, election and transfer meet.

It dispatches what peers send, keeps the heartbeat, installs views, and collects what goes out. It does no I/O:
the shell tells it which links open and close and hands it messages; it returns bytes for each peer.

The order of what goes out in one turn matters and is kept here: frames before acknowledgements (an objection
must be seen before the acknowledgement behind it), both before heartbeats (which tell how many frames there
were), and a view before the frames of that view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from memrep.errors import PeerError
from memrep.replication.donor import Donor
from memrep.replication.frames import FrameStream
from memrep.replication.membership.event_log import MembershipLog
from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.history import NOTHING, WRITTEN, activity_of
from memrep.replication.membership.peer import TOOK_LEAVE, Peer
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import horizon_of, out_of_touch
from memrep.replication.membership.view_change import ViewChange
from memrep.replication.message import (
    Ack,
    Chunk,
    ChunkRequest,
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
from memrep.replication.relay import Routes
from memrep.replication.rounds import Rounds
from memrep.replication.state_transfer import Joiner
from memrep.replication.wire import decode, encode
from memrep.storage.entry import NEVER
from memrep.storage.pending import PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import Clock

#: How many messages of a view that is not installed yet are kept for it.
_HELD_MAX: Final = 4096

#: What belongs to one view: it is kept if that is not installed here yet (rule F1).
_OF_A_VIEW: Final = (Frame, Ack, TransferRequest, ChunkRequest)


class Replica:
    """One node among its peers.

    Args:
        names: the addresses of all nodes, in the same order on every node; node n is the n-th.
        state: where this node stands: nowhere yet.
        store: the committed entries.
        writes: the pending ones.
        clock: the time of the present turn.
        observer: told of others' writes, and of owners that are lost.
        timing: the constants of membership.
        log: takes a line for the operator.

    Attributes:
        state: view, promise, fullness.
        detector: the peers.
        rounds: the writes on their way; the engine's committer.
        news: what is logged.
        serves_until: until when clients' commands may be executed, own monotonic ms. Kept up to date within
            the turn: what comes behind a vote in the same turn must find it voted.
        serves_all_until: the same, if whoever comes may be served; 0 where that has to be asked (host_gate.py).
    """

    def __init__(
        self,
        names: list[str],
        state: ReplicaState,
        store: Store,
        writes: PendingWrites,
        clock: Clock,
        observer: ReplicationObserver,
        timing: Timing,
        log: Callable[[str], None],
    ) -> None:
        self.state = state
        self.detector = FailureDetector(self.state, names, timing)
        self._routes = Routes(self.state, self.detector, timing, clock)
        self.leaving = False
        self._store = store
        self._observer = observer
        self._writes = writes
        self._clock = clock
        self._timing = timing
        self._log = log
        self.news = MembershipLog(names, state, self.detector, timing, clock, log)
        self._outbox = Outbox(state, self.detector)
        self._stream = FrameStream(self.state)
        self.rounds = Rounds(self.state, self._stream, store, writes, clock, observer)
        self._donor = Donor(self.state, store, clock)
        self.joiner = Joiner(self.state, store, self.rounds, clock, timing, self._send, log)
        self._election = ViewChange(
            self.state, self.detector, timing, clock, self._make_vote, self._send, self._install
        )
        self._last_install: Install | None = None
        self._held: list[tuple[int, PeerMessage]] = []
        self._next_beat = clock.now
        self._beat_now = False
        self._beaten = NOTHING  # what was told last of this side's activity
        self.serves_until = self.serves_all_until = 0
        if len(names) == 1:
            self._election.consider()
            self._weigh()

    # --- what the shell tells

    def linked(self, node: int, inc: int) -> None:
        """This peer has opened its link to us."""
        peer = self.detector.peers[node]
        self._may_be_back(peer)
        peer.opened_link(inc, self._clock.now)
        self.detector.heard(node, self._clock.now)
        self._beat_now = True

    def unlinked(self, node: int) -> None:
        """This peer's link to us is closed."""
        peer = self.detector.peers[node]
        peer.closed_link()
        if peer.refused:
            self._gone(peer, peer.refused)

    def refused(self, node: int, reason: str) -> None:
        """Our link to this peer was closed and its port refuses; if its own is closed, too, it is gone (M1)."""
        peer = self.detector.peers[node]
        peer.port_refuses(reason)
        if not peer.linked:
            self._gone(peer, reason)

    def unreachable(self, node: int, reason: str, refuses: bool = False) -> None:
        """Our link to this peer cannot be opened, maybe as its port refuses; for `stats` if it is not known."""
        peer = self.detector.peers[node]
        if refuses and peer.gone:
            self.detector.ended(peer, peer.gone, self._clock.now)
        peer.cannot_be_dialled(reason, refuses)

    def turned_away(self, node: int, reason: str) -> None:
        """This peer lives but will not have this node: while that is so, this one must not begin without it."""
        self.detector.peers[node].turned_us_away(reason)

    def _gone(self, peer: Peer, reason: str) -> None:
        if not peer.gone or peer.doubted:
            self.detector.ended(peer, reason, self._clock.now)
            self._election.consider()
            self._weigh()

    def dialled(self, node: int) -> None:
        """Our link to this peer is open; let it hear of us at once."""
        self.detector.peers[node].was_dialled()
        self._beat_now = True

    def let_in(self, node: int, *, stands: bool) -> None:
        """This peer has let in our link, so it lives; or that link is closed, and may soon be open again."""
        until = NEVER if stands else self._clock.now + self._timing.ignore
        self.detector.peers[node].let_us_in(until)

    def lost_clients(self) -> None:
        """This node has closed its clients' connections; the others have to know: their locks are nobody's."""
        self.state.lose_clients()

    def was_stopped(self, ms: int) -> None:
        """This process was stopped for so long: the others may have gone on without it (rule T1)."""
        self._observer.out_of_touch()
        self.state.stopped(ms)
        self.detector.was_stopped(self._clock.now)
        self._election.was_stopped()
        self._weigh()
        self._beat_now = True

    def _may_be_back(self, peer: Peer) -> None:
        """This peer shows a sign of life; if it was missed it may have gone on, and a view must come first."""
        if self.detector.is_back(peer.node, self._clock.now):
            self._is_back(peer)

    def _is_back(self, peer: Peer) -> None:
        self.detector.doubt_deaths(self._clock.now)
        self.state.meet(peer.name)
        self._election.was_stopped()
        self._weigh()
        self._beat_now = True

    def called(self, node: int) -> None:
        """This peer's call has come, be it that nothing gets back to it yet: it lives."""
        peer = self.detector.peers[node]
        if node in self.detector.missed:
            self._may_be_back(peer)
            self.detector.called(peer, self._clock.now)

    def _weigh(self) -> None:
        """Look anew until when this node may serve; whenever anything has changed of what that hangs on."""
        self.serves_until = self.detector.serves_until()
        self.serves_all_until = 0 if self.detector.missed else self.serves_until
        if self.serves_all_until and not self.state.view.quorate:
            self.state.happened(WRITTEN)  # nobody looks any more whether somebody writes here

    @property
    def missed(self) -> list[int]:
        """The nodes that may have gone on without this one: what it holds may be old."""
        return self.detector.missed

    def leave(self) -> None:
        """Tell the others that this node stops, so that they go on at once."""
        self.leaving = True
        self._beat_now = True

    @property
    def may_serve(self) -> bool:
        """Whether clients' commands may be executed now. A peer's message in this very turn may end it."""
        return self._clock.now < self.serves_until

    @property
    def open(self) -> bool:
        """Whether the client port is open: the node holds everything, and need not wait for others (S2, J4)."""
        state = self.state
        if not state.full or not state.view.vid:
            return False
        return not state.strict or (state.view.quorate and self.detector.meets_majority(self._clock.now))

    def tick(self) -> None:
        """What is due by the clock; call it every 50 ms or so."""
        now = self._clock.now
        self.joiner.tick()
        self._routes.consider()
        if now >= self._next_beat:
            self._next_beat = now + self._timing.beat
            self._beat_now = True
        if not self.leaving:
            self._election.consider()
        self._weigh()
        self.news.report()

    # --- what peers send

    def heard(self, node: int) -> None:
        """Some bytes have come from this peer, be it only a part of a message."""
        if not self.serves_all_until:
            self._may_be_back(self.detector.peers[node])
        self.detector.heard(node, self._clock.now)

    def receive(self, node: int, message: PeerMessage) -> None:
        """Act on a message of a peer."""
        kind = type(message)
        if isinstance(message, _OF_A_VIEW) and message.vid > self.state.view.vid:
            if len(self._held) < _HELD_MAX:
                self._held.append((node, message))
            return
        self._on[kind](self, node, message)
        if kind is not Frame and kind is not Ack:
            self._weigh()

    def _on_frame(self, node: int, message: Frame) -> None:
        state = self.state
        if message.vid == state.view.vid and not state.paused and self._stream.accept(node, message):
            for item in message.items:
                self.rounds.take(node, item)

    def _on_ack(self, node: int, message: Ack) -> None:
        if message.vid == self.state.view.vid and self._stream.acknowledged(node, message):
            self.rounds.progress()

    def _on_beat(self, node: int, message: Heartbeat) -> None:
        state = self.state
        peer = self.detector.peers[node]
        self._clock.observe_logical(message.logical)
        self._election.saw_promise(message.promised)
        known = peer.beat
        peer.took(message, self._clock.now, self._clock.wall, state.me)
        self._has_installed(peer, message.vid)
        member = state.view.members.get(node) == peer.inc
        if message.leaving:
            self._gone(peer, TOOK_LEAVE)
        elif member and message.vid == state.view.vid:
            if message.full and not (known is not None and known.full):
                peer.became_full(self._clock.wall)
            self._stream.heard_of(node, message.sent)
            state.happened(activity_of(message.past))  # it holds what that one has written
            if not state.paused:
                self._stream.owe(node)
                self._send(node, LeaseGrant(message.vid, message.at))
        elif member and message.vid < state.view.vid:
            self._remind(peer)

    def _remind(self, peer: Peer) -> None:
        """Send a member the view again that it has not got (rule M9); not faster than a large one travels."""
        now = self._clock.now
        if self._last_install is not None and now - peer.reminded >= self._timing.propose:
            peer.was_reminded(now)
            self._send(peer.node, self._last_install)

    def _on_beat_ack(self, node: int, message: LeaseGrant) -> None:
        peer = self.detector.peers[node]
        self._has_installed(peer, message.vid)
        if message.vid == self.state.view.vid and not peer.gone:
            peer.grant_lease(message.at + self._timing.lease)

    def _has_installed(self, peer: Peer, vid: int) -> None:
        """This peer stands in this view; when all members do, what it has settled may be told."""
        if peer.stands_in(vid):
            self._confirm()

    def _confirm(self) -> None:
        if self.detector.confirmed and not self.state.paused:
            self.state.confirmed()
            self.rounds.settled.confirmed()

    def _on_relay(self, node: int, message: Relay) -> None:
        """Pass on what is for another node, one hop; take what has come that way for this one."""
        peers = self.detector.peers
        if message.to != self.state.me:
            if message.origin == node and message.to in peers:
                self._outbox.pass_on(message.to, encode(message))
            return
        peer = peers.get(message.origin)
        if peer is None or not self.detector.believes(peer, message.inc, self._clock.now):
            return
        self._may_be_back(peer)
        self.detector.lives(peer, self._clock.now)
        try:
            relayed = decode(message.data)
        except PeerError as error:
            self._log(f"what came from {peer.name} over node {node} cannot be used: {error}")
            return
        for one in relayed:
            if type(one) is not Relay:
                self.receive(peer.node, one)

    def _on_propose(self, node: int, message: Propose) -> None:
        self._election.on_propose(node, message)

    def _on_vote(self, node: int, message: Vote) -> None:
        self._election.on_vote(node, message)

    def _on_refuse(self, node: int, message: Refuse) -> None:
        self._election.on_refuse(node, message)

    def _on_install(self, node: int, message: Install) -> None:
        state = self.state
        new = message.vid > state.view.vid and message.vid >= state.promised
        if new and message.members.get(state.me) == state.inc:
            self._install(message)

    def _on_sync(self, node: int, message: TransferRequest) -> None:
        self._donor.on_sync(node, message)

    def _on_more(self, node: int, message: ChunkRequest) -> None:
        chunk = self._donor.on_more(node, message)
        if chunk is not None:
            self._send(node, chunk)

    def _on_chunk(self, node: int, message: Chunk) -> None:
        self.joiner.on_chunk(node, message)
        self.joiner.tick()

    _on: Final[dict[type, Callable[..., None]]] = {
        Frame: _on_frame,
        Ack: _on_ack,
        Heartbeat: _on_beat,
        LeaseGrant: _on_beat_ack,
        Propose: _on_propose,
        Vote: _on_vote,
        Refuse: _on_refuse,
        Install: _on_install,
        TransferRequest: _on_sync,
        ChunkRequest: _on_more,
        Chunk: _on_chunk,
        Relay: _on_relay,
    }

    # --- views

    def _make_vote(self, vid: int) -> Vote:
        state = self.state
        return Vote(
            vid,
            state.view.gen,
            state.view.vid,
            state.full,
            self.rounds.settled.in_flight(),
            self._clock.logical,
            self._store.horizon,
            len(self._store.values) + len(self._store.tombstones),
            state.closed_clients,
            state.past,
            state.apart,
        )

    def _install(self, message: Install) -> None:
        """A view begins: nothing is in flight, counters and leases start anew (rule M8)."""
        state = self.state
        before, was_full, apart = state.view, state.full, state.apart
        troubles = self.news.troubles()
        state.install(message)
        keep = state.full
        self._last_install = message
        self._store.joining = not keep
        self._stream.reset()
        away = out_of_touch(message)
        if away:
            self._observer.out_of_touch()
        self.rounds.end(message, keep)
        if message.lost:
            disowned = self._store.disown(message.lost)
            self._observer.owners_lost(disowned, message.lost, message.silent, away)
        self.detector.installed(self._clock.now, before.members)
        self._election.installed()
        self._donor.reset()
        self.joiner.cancel()
        self.news.installed(before, was_full, troubles)
        if not keep:
            self.joiner.begin(horizon_of(message), apart if state.me in message.yields else 0)
        for peer in self.detector.returned(self._election.promised_at):
            self._is_back(peer)
        self._confirm()
        self._beat_now = True
        held, self._held = self._held, []
        for node, late in held:
            if getattr(late, "vid", 0) >= message.vid:
                self.receive(node, late)

    # --- what goes out

    def _send(self, node: int, message: PeerMessage) -> None:
        self._outbox.tell((node,), encode(message))

    def _flush_frames(self) -> None:
        """Encode what this turn says to every member, once for all of them."""
        for frame in self._stream.take_frames():
            self._outbox.tell(self.state.others, encode(frame))
        if not self.state.paused:
            for node, ack in self._stream.take_acks().items():
                self._send(node, ack)

    @property
    def unfinished(self) -> bool:
        """Whether something has been said since the last `take`."""
        return self._stream.unsent

    def take(self) -> Iterator[tuple[int, bytes]]:
        """End the turn: the bytes for each peer to which there is something to say."""
        self.rounds.progress()
        self._flush_frames()
        if self._beat_now or self._beaten != self.state.activity:
            self._beat_now = False
            self._beat()
        return self._outbox.take()

    def _beat(self) -> None:
        self._beaten = self.state.activity
        beat = self.detector.beat(self._clock, self._stream.sent, self.leaving)
        self._outbox.tell(self.detector.peers, encode(beat))
        if self._routes.detours:  # on the cut link, too, but there it must not speak of frames that go round
            self._outbox.probe = encode(msgspec.structs.replace(beat, sent=0))

    # --- for the operator

    def lag(self, node: int) -> int:
        """How many of this node's frames that member has not acknowledged."""
        return self._stream.lag(node)
