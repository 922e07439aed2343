"""Watching a simulated run: a fingerprint of all that is said, and a trace that a person reads.

Neither changes anything: they are told what happens and draw nothing from the run's chance.

The fingerprint is a hash of every byte that nodes send each other and their clients, with its virtual time. A
change of the code that is to change nothing keeps it, seed for seed; where it differs, `--each` tells which
seed to look at with `--trace`.

The trace has a line for each message that arrives and for each change of a node's state, one column a node.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from memrep.replication.membership.view_id import number_of, proposer_of
from memrep.replication.message import (
    Abort,
    Ack,
    Chunk,
    ChunkRequest,
    Commit,
    Frame,
    Heartbeat,
    Install,
    LeaseGrant,
    Nack,
    Propose,
    Refuse,
    Relay,
    TransferRequest,
    Vote,
    Write,
)
from memrep.replication.wire import MESSAGE_BYTES_MAX, Inbox, decode, read
from memrep.storage.version import NODE_MAX, cas_unique

if TYPE_CHECKING:
    from memrep.node.node import Node
    from tests.simulation.host import Pipe
    from tests.simulation.world import World

_MOMENT = struct.Struct(">dii")

#: Where a client stands in the place of a node.
CLIENT = 0

#: The widths of a trace's columns: what happens, and each node's state.
_EVENT = 64
_STATE = 22

#: How much of a key or value is told, and of how many writes.
_TEXT_BYTES_MAX = 16
_WRITES_MAX = 3


class Watch(Protocol):
    """What a world tells of a run."""

    def said(self, source: int, target: int, data: bytes) -> None:
        """A node has said this to another one, or to a client (CLIENT)."""

    def came(self, pipe: Pipe, data: bytes) -> None:
        """That much of what a node has said has arrived at another one."""

    def noted(self, text: str) -> None:
        """Something has befallen somebody."""

    def turned(self, number: int) -> None:
        """This node has ended a turn, or its process has begun, ended, stopped or gone on."""


class Fingerprint:
    """A hash of all that is said, and when."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hash = blake2b(digest_size=16)

    def said(self, source: int, target: int, data: bytes) -> None:
        """Take it in."""
        self._hash.update(_MOMENT.pack(self._world.now, source, target))
        self._hash.update(data)

    def came(self, pipe: Pipe, data: bytes) -> None:
        """Follows from what was said, as all the rest."""

    def noted(self, text: str) -> None:
        """Words may change."""

    def turned(self, number: int) -> None:
        """States may be called otherwise."""

    def __str__(self) -> str:
        return self._hash.hexdigest()


class Trace:
    """Lines of what happens, with a column for each node's state where it has changed.

    Args:
        world: whose.
        write: takes each line.
    """

    def __init__(self, world: World, write: Callable[[str], None]) -> None:
        self._world = world
        self._write = write
        self._inboxes: dict[Pipe, Inbox] = {}
        self._greeted: set[Pipe] = set()
        self._states: dict[int, str] = {}
        numbers = range(1, world.plan.nodes + 1)
        write(f"{'ms':>9}  {'what':{_EVENT}}" + "".join(f"{f'node {n}':{_STATE}}" for n in numbers).rstrip())

    def said(self, source: int, target: int, data: bytes) -> None:
        """What counts is when it comes."""

    def came(self, pipe: Pipe, data: bytes) -> None:
        """Tell each message that is complete now."""
        inbox = self._inboxes.get(pipe)
        way = "{}>{}".format(*pipe.ends)
        if inbox is None:
            inbox = self._inboxes[pipe] = Inbox(MESSAGE_BYTES_MAX)
        bodies = inbox.take(data)
        if bodies and pipe not in self._greeted:
            self._greeted.add(pipe)
            self._line(f"{way} (a new link)")
            del bodies[0]
        for message in read(bodies):
            self._line(f"{way} {in_short(message)}")

    def noted(self, text: str) -> None:
        """Tell it."""
        self._line(text)

    def turned(self, number: int) -> None:
        """Tell the node's state, if it is another one."""
        state = self._state(number)
        if self._states.get(number) != state:
            self._states[number] = state
            cells = (f"{state if other == number else '.':{_STATE}}" for other in self._world.hosts)
            self._line(" " * _EVENT + "".join(cells))

    def _line(self, text: str) -> None:
        self._write(f"{self._world.now:9.1f}  {text.rstrip()}")

    def _state(self, number: int) -> str:
        host = self._world.hosts[number]
        return state_of(host.node, frozen=host.frozen)


def state_of(node: Node | None, *, frozen: bool) -> str:
    """Where a node stands, in a few words; None is one that does not run."""
    if node is None:
        return "down"
    state = node.replica.state
    words = [name_of(state.view.vid)]
    if state.promised > state.view.vid:
        words.append(f"->{name_of(state.promised)}")
    words += [
        word
        for word, holds in {
            "frozen": frozen,
            "met": state.met,
            "was_stopped": state.was_stopped,
            "misses": bool(node.replica.missed),
            "serves": node.serving,
            "lacks": not state.full,
        }.items()
        if holds
    ]
    return " ".join(words)


def name_of(vid: int) -> str:
    """A view's name as a person reads it: the last digits of its number, and who proposed it."""
    return f"{number_of(vid) % 10_000}.{proposer_of(vid)}" if vid else "-"


def in_short(message: msgspec.Struct) -> str:
    """What a message says, in one line."""
    tell = _TELLS.get(type(message))
    return type(message).__name__ + (f" {tell(message)}" if tell is not None else "")


def text_of(data: bytes | None) -> str:
    """A key or a value as a person reads it, the beginning of a long one; None is that of a tombstone."""
    if data is None:
        return "None"
    end = f"... ({len(data)} bytes)" if len(data) > _TEXT_BYTES_MAX else ""
    return repr(data[:_TEXT_BYTES_MAX].decode(errors="replace")) + end


def written(write: Write) -> str:
    """What a write makes of a key, in short."""
    return f"{text_of(write.key)}={text_of(write.value)}"


def _of_all(writes: Iterable[Write]) -> str:
    """How many there are, and the first of them."""
    every = list(writes)
    more = ["..."] if len(every) > _WRITES_MAX else []
    return " ".join([str(len(every)), *map(written, every[:_WRITES_MAX]), *more])


def _of_key(message: Any) -> str:
    return text_of(message.key)


def _of_beat(beat: Heartbeat) -> str:
    hears = _numbers(beat.hears)
    if beat.direct != beat.hears:
        hears += f" (directly {_numbers(beat.direct)})"
    words = [name_of(beat.vid), f"hears {hears}", f"sent {beat.sent}"]
    if beat.promised > beat.vid:
        words.append(f"promised {name_of(beat.promised)}")
    words += [word for word, holds in {"lacks": not beat.full, "leaves": beat.leaving}.items() if holds]
    return " ".join([*words, beat.view_change_reason]).rstrip()


def _numbers(bits: int) -> str:
    return "".join(str(node) for node in range(1, 64) if bits >> node & 1) or "nobody"


def _of_install(view: Install) -> str:
    kind = "" if view.quorate else ", no majority"
    yields = f", yield: {view.yields}" if view.yields else ""
    members = f"{sorted(view.members)}, full: {view.full}"
    settled = _of_all(each.write for each in view.settled)
    return f"{name_of(view.vid)} {members}{kind}, settled {settled}{yields}"


def _of_relay(relay: Relay) -> str:
    return f"{relay.origin}>{relay.to}: " + "; ".join(in_short(message) for message in decode(relay.data))


_TELLS: dict[type, Callable[[Any], str]] = {
    Frame: lambda m: f"{name_of(m.vid)} #{m.n}: " + "; ".join(map(in_short, m.items)),
    Write: lambda m: f"{written(m)} {'read-modify-write' if m.base is not None else 'plain'}",
    Commit: _of_key,
    Abort: _of_key,
    Nack: lambda m: f"{cas_unique(m.version) & NODE_MAX}'s {_of_key(m)}",
    Ack: lambda m: f"{name_of(m.vid)} #{m.n}",
    Heartbeat: _of_beat,
    LeaseGrant: lambda m: name_of(m.vid),
    Propose: lambda m: f"{name_of(m.vid)} {sorted(m.members)}",
    Vote: lambda m: (
        f"{name_of(m.vid)} from {name_of(m.last)}{'' if m.full else ', lacks'}, pending {_of_all(m.pending)}"
    ),
    Refuse: lambda m: f"{name_of(m.vid)}, promised {name_of(m.promised)}, hears {m.reach}",
    Install: _of_install,
    TransferRequest: lambda m: f"{name_of(m.vid)} {'what differs' if m.sums else 'everything'}",
    ChunkRequest: lambda m: f"#{m.i}",
    Chunk: lambda m: f"#{m.i}: {len(m.records)} records{', the last' if m.last else ''}",
    Relay: _of_relay,
}
