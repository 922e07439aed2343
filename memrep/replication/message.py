"""What nodes say to each other: frozen messages, no behaviour.

Times that travel are times left (ms), for each node's monotonic clock is its own. A view is named by `vid`,
one integer: a number that only grows, then six bits for the node that proposed it; so a larger vid is a later
view and no two nodes ever make the same one. `inc` is a node's incarnation, drawn at random when it starts.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from memrep.storage.entry import NEVER, Entry, RequestId
from memrep.storage.owner import Owner
from memrep.storage.version import Version

#: Time left of what never expires.
FOREVER: Final = -1


#: A version as it travels; anything else is turned away while decoding.
_Version = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class Message(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """The root of all messages; on the wire an array that begins with the name of its kind."""


class Write(Message, frozen=True, tag="W"):
    """A write of one key: an invalidation in a frame, a pending write in a vote, a record in a transfer.

    Attributes:
        key: the key.
        version: of this write.
        base: the version a read-modify-write was computed from; None for a plain write.
        dead: whether what it was computed from was a miss (never there, deleted or expired).
        value: the data block; None for a tombstone.
        flags: the client's bits.
        ttl: ms left to live, FOREVER, or for a tombstone ms left until it may be purged.
        cas: see `entry.Entry.cas`.
        owner: see `entry.Entry.owner`.
        request_id: by what copies of this write are known, if there may be any.
        marks: see `entry.Entry.marks`.
    """

    key: bytes
    version: _Version
    base: _Version | None
    dead: bool
    value: bytes | None
    flags: int
    ttl: int
    cas: int = 0
    owner: Owner | None = None
    request_id: RequestId | None = None
    marks: int = 0

    def entry(self, now: int) -> Entry:
        """Return the entry that this write makes on a node whose monotonic clock is `now` (ms)."""
        expires = NEVER if self.ttl == FOREVER else now + self.ttl
        return Entry(Version(self.version), self.value, self.flags, expires, self.cas, self.owner, self.marks)


class Commit(Message, frozen=True, tag="V"):
    """Every member holds this write of mine: it is the key's value now (Hermes' VAL)."""

    key: bytes
    version: _Version


class Abort(Message, frozen=True, tag="D"):
    """This write of mine is given up; nobody may keep it."""

    key: bytes
    version: _Version


class Nack(Message, frozen=True, tag="O"):
    """This read-modify-write of yours is based on something that has been overtaken (a NACK)."""

    key: bytes
    version: _Version


class Frame(Message, frozen=True, tag="F"):
    """All that a node says to every member in one turn, the `n`-th such frame in this view."""

    vid: int
    n: int
    items: list[Write | Commit | Abort | Nack]


class Ack(Message, frozen=True, tag="A"):
    """I have taken your frames up to `n`. It counts only for who has had my frames up to `sent`."""

    vid: int
    n: int
    sent: int


class Past(Message, frozen=True, tag="p"):
    """What a node's side has behind it; see history.py.

    Attributes:
        begun: the views that may have begun a generation of its data, and their members' incarnations.
        stood: by generation, the processes that were of it when they voted, and for which view they did last.
        activity: how much has happened since each of those views, and that in which its side parted from the
            others (0: before any).
        parted: the view in which it did; 0 if there is no other side.
    """

    begun: dict[int, list[int]] = {}
    stood: dict[int, dict[int, int]] = {}
    activity: dict[int, int] = {}
    parted: int = 0


class Heartbeat(Message, frozen=True, tag="B"):
    """The heartbeat, and what the others have to know of this node.

    Attributes:
        vid: its present view.
        promised: the highest view it has voted for.
        full: whether it holds everything.
        view_change_reason: why it needs a new view; empty if it does not.
        leaving: whether it is about to stop.
        at: its monotonic clock, ms; comes back in the answer and starts the lease.
        sent: the frames it has sent in this view.
        logical: its hybrid clock.
        wall: its wall clock, ms; for `stats`.
        hears: the peers that it hears, on whatever way; a set of node numbers, as bits.
        direct: those whose own link to it works.
        past: what its side has behind it.
        about: what it says of itself for the operator, about once a second; empty in between. Opaque here.
    """

    vid: int
    promised: int
    full: bool
    view_change_reason: str
    leaving: bool
    at: int
    sent: int
    logical: int
    wall: int
    hears: int = 0
    direct: int = 0
    past: Past = Past()
    about: bytes = b""


class LeaseGrant(Message, frozen=True, tag="b"):
    """A lease: who sent the heartbeat of time `at` may count on this node until `at` + LEASE."""

    vid: int
    at: int


class Propose(Message, frozen=True, tag="P"):
    """Let these nodes (number to incarnation) form this view."""

    vid: int
    members: dict[int, int]


class Vote(Message, frozen=True, tag="v"):
    """I take part in this view and in none before it, and here is all that I have in flight.

    Attributes:
        vid: the view voted for.
        gen: the generation of the voter's last view.
        last: the voter's last view.
        full: whether it held everything then.
        pending: its pending writes, its own and others'.
        logical: its hybrid clock.
        horizon: the highest version it has purged.
        records: how many keys it knows.
        alone: whether it has closed all its clients' connections since its last view.
        past: what its side has behind it.
        apart: see `ReplicaState.apart`.
    """

    vid: int
    gen: int
    last: int
    full: bool
    pending: list[Write]
    logical: int
    horizon: _Version
    records: int
    alone: bool = False
    past: Past = Past()
    apart: int = 0


class ColdVote(Vote, frozen=True, tag="u"):
    """A vote of a node that has brought data back from its disk, where nobody is known to be full.

    A kind of its own, so that nodes without a disk say what they always said. Generation and last view are
    those of what it has brought back.

    Attributes:
        at: the reading of the hybrid clock when that was all that the node held.
    """

    at: int = 0


class Refuse(Message, frozen=True, tag="R"):
    """I do not take part in this view: I have promised `promised`, or I hear nodes that it leaves out."""

    vid: int
    promised: int
    reach: list[int]


class Settled(Message, frozen=True, tag="S"):
    """A write that the proposer of a view has settled: its new form, and the version it had in flight."""

    write: Write
    origin: _Version


class Install(Message, frozen=True, tag="I"):
    """The view stands (VIEW in the rules): who is in it, who is full, what became of the writes in flight.

    `alone` are the members that have closed all their clients' connections since the last one. Whose locks have
    lost their clients the proposer says for all, for nodes do not know the same of a peer, and a lock must end
    everywhere or nowhere: `lost` are the nodes, each with the ms of the hybrid clock from which on its grants
    are in doubt, `silent` those of them that may yet live. `yields` are those that were cut off with nobody
    to write for: what they have stamped since nobody was told of, and it gives way. `past` goes with the
    data that the view starts from, to whoever has them from now on. `apart` is that of `ReplicaState`.
    """

    vid: int
    gen: int
    members: dict[int, int]
    full: Annotated[list[int], msgspec.Meta(min_length=1)]
    quorate: bool
    settled: list[Settled]
    horizon: _Version
    alone: list[int] = []
    lost: dict[int, int] = {}
    silent: list[int] = []
    yields: list[int] = []
    past: Past = Past()
    apart: int = 0


class ColdInstall(Install, frozen=True, tag="J"):
    """A view that starts from a disk: nobody was full, so what others have on theirs counts by its versions."""


class TransferRequest(Message, frozen=True, tag="Y"):
    """Send me what differs from these digests, for I am not full. An empty list: send everything."""

    vid: int
    sums: list[int]


class ChunkRequest(Message, frozen=True, tag="M"):
    """Send me chunk `i`."""

    vid: int
    i: int


class Chunk(Message, frozen=True, tag="C"):
    """The `i`-th part of what differs.

    Attributes:
        records: committed entries, tombstones among them.
        total: how many keys the whole transfer will look at; for the progress line.
        buckets: in the first chunk, the buckets that differ.
        last: whether it is the last one.
        horizon: the donor's purge horizon, after it has looked at the records.
    """

    vid: int
    i: int
    records: list[Write]
    total: int
    buckets: list[int]
    last: bool
    horizon: _Version


class Relay(Message, frozen=True, tag="L"):
    """Messages of a node whose own link to `to` does not work, to be passed on by one that hears both.

    Attributes:
        to: for whom they are.
        origin: whose they are, and
        inc: its incarnation.
        data: the messages, spelled as on a link.
    """

    to: int
    origin: int
    inc: int
    data: bytes


PeerMessage = (
    Frame
    | Ack
    | Heartbeat
    | LeaseGrant
    | Propose
    | Vote
    | ColdVote
    | Refuse
    | Install
    | ColdInstall
    | TransferRequest
    | ChunkRequest
    | Chunk
    | Relay
)  # what a link carries after the handshake


def describe(
    key: bytes, entry: Entry, base: Version | None, dead: bool, now: int, request_id: RequestId | None = None
) -> Write:
    """Return the write that makes `entry` on another node, sent at monotonic `now` (ms)."""
    ttl = FOREVER if entry.expires >= NEVER else max(0, entry.expires - now)
    flags, cas, owner, marks = entry.flags, entry.cas, entry.owner, entry.marks
    return Write(key, entry.version, base, dead, entry.value, flags, ttl, cas, owner, request_id, marks)
