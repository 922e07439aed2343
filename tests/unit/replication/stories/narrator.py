"""What a story tells of a cluster: a line for each message that says something new, each change, each reply.

Nothing is told twice. Leases, acknowledgements and heartbeats are repeated all the time; a story that told them
all would hide what matters. So a lease is never told; an acknowledgement is if it is of a later frame than
those before it; a heartbeat is if it says something else than the last one, where that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from memrep.replication.links import Link
from memrep.replication.message import Ack, Heartbeat, LeaseGrant, PeerMessage, Relay
from memrep.replication.wire import decode, encode
from memrep.storage.version import Version, cas_unique, generation, milliseconds
from tests.harness.cluster import Client, Cluster, Pair
from tests.harness.lone_node import WALL
from tests.simulation.trace import in_short, state_of, text_of

#: How many digits of a view's number are told, as in a trace.
_VIEWS = 10_000

#: Below the milliseconds of a version's stamp: a counter, and the node's number.
_COUNTERS, _NODES = 1 << 14, 1 << 6


class Narrator:
    """Takes down what happens in a cluster.

    Args:
        cluster: which; it is watched from now on.

    Attributes:
        zero: the virtual ms from which time is told.
        quiet: whether messages and states are left out for the moment.
        heartbeats: whether they are told, too.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.zero = 0
        self.quiet = False
        self.heartbeats = False
        self._cluster = cluster
        self._lines: list[str] = []
        self._clients: dict[str, Client] = {}
        self._states: dict[int, str] = {}
        self._links: set[Link] = set()
        self._acks: dict[Pair, tuple[int, int]] = {}  # by origin and target: view and frame
        self._beats: dict[Pair, str] = {}
        cluster.arrives = self._arrives
        cluster.after_turn = self._turned

    def take(self) -> list[str]:
        """The lines since the last time."""
        lines, self._lines = self._lines, []
        return lines

    def tell(self, text: str) -> None:
        """Write a line with the present time."""
        self._lines.append(f"{self._cluster.now - self.zero:6}  {text}")

    def add(self, text: str) -> None:
        """Write a line that belongs to the one before."""
        self._lines.append(" " * 10 + text)

    # --- what happens

    def follow(self, name: str, client: Client) -> None:
        """Tell what this client is answered from now on."""
        self._clients[name] = client

    def _arrives(self, pair: Pair, link: Link, messages: list[PeerMessage]) -> None:
        if link not in self._links:
            self._links.add(link)
            self._say(pair, "(a new link)")
        for message in messages:
            news = self._news(pair, message)
            if news is not None:
                self._say(pair, in_short(news))

    def lost(self, pair: Pair, messages: list[PeerMessage]) -> None:
        """Tell of messages that never arrive."""
        for message in messages:
            if not isinstance(message, Heartbeat | LeaseGrant):
                self._say(pair, f"lost: {in_short(message)}")

    def _say(self, pair: Pair, text: str) -> None:
        if not self.quiet:
            self.tell("{}>{} ".format(*pair) + text)

    def _news(self, pair: Pair, message: PeerMessage) -> PeerMessage | None:
        """The message without what is not told; None if nothing is left."""
        if isinstance(message, Relay):
            news = [self._news((message.origin, message.to), inner) for inner in decode(message.data)]
            data = b"".join(encode(inner) for inner in news if inner is not None)
            return replace(message, data=data) if data else None
        if isinstance(message, LeaseGrant):
            return None
        if isinstance(message, Ack):
            before, now = self._acks.get(pair, (0, 0)), (message.vid, message.n)
            self._acks[pair] = max(before, now)
            return message if now > before else None
        if isinstance(message, Heartbeat):
            says = in_short(replace(message, sent=0))
            before_it, self._beats[pair] = self._beats.get(pair), says
            return message if self.heartbeats and says != before_it else None
        return message

    def _turned(self, number: int) -> None:
        self.hear_clients()
        self.look(number)

    def look(self, *numbers: int) -> None:
        """Tell the states of these nodes that have changed; of all of them if none is named."""
        if self.quiet:
            return
        changed: dict[str, list[int]] = {}
        for number in numbers or sorted(self._cluster.logs):
            node = self._cluster.nodes.get(number)
            state = state_of(node, frozen=number in self._cluster.frozen)
            if self._states.get(number, "down") != state:
                self._states[number] = state
                changed.setdefault(state, []).append(number)
        for state, alike in changed.items():
            self.tell(f"{_all(alike)} {'is' if len(alike) == 1 else 'are'} {state}")

    def hear_clients(self) -> None:
        """Tell what clients have been answered."""
        for name, client in list(self._clients.items()):
            replies = client.take()
            if replies:
                self.tell(f"client {name}: {_reply(replies)}")
            if client.closed:
                del self._clients[name]
                self.tell(f"client {name} is hung up on")

    # --- what is there

    def show(self, number: int) -> None:
        """Tell what a node has."""
        node = self._cluster.nodes[number]
        replica = node.replica
        lags = [
            f"{other}:{lag}" for other in sorted(replica.state.others) if (lag := replica.rounds.lag(other))
        ]
        told = [f"{number} is {state_of(node, frozen=number in self._cluster.frozen)}"]
        told.append(f"members {_all(replica.state.view.members) or 'none'}")
        told.append(f"port {'open' if node.open else 'closed'}")
        if lags:
            told.append(f"lag {' '.join(lags)}")
        if replica.state.view_change_reason:
            told.append(f"needs a view: {replica.state.view_change_reason}")
        self.tell(", ".join(told))
        tables = node.store.values, node.store.tombstones
        for key, entry in sorted((key, table[key]) for table in tables for key in table):
            self.add(f"{text_of(key)}={text_of(entry.value)} {self.version(entry.version)}")
        for key, pending in sorted(self._cluster.pending(number).items()):
            base = "" if pending.base is None else f" from {self.version(pending.base)}"
            entry = pending.entry
            self.add(f"pending {text_of(key)}={text_of(entry.value)} {self.version(entry.version)}{base}")

    def key(self, key: bytes) -> None:
        """Tell who has which value of a key."""
        holders: dict[str, list[int]] = {}
        for number in sorted(self._cluster.nodes):
            has = text_of(self._cluster.value(number, key))
            pending = self._cluster.pending(number).get(key)
            if pending is not None:
                has += f", pending {text_of(pending.entry.value)}"
            holders.setdefault(has, []).append(number)
        told = (f"at {_all(numbers)} {value}" for value, numbers in holders.items())
        self.tell(f"{text_of(key)}: " + "; ".join(told))

    def version(self, version: Version) -> str:
        """A version as generation:+ms@node; "nothing" if there was none."""
        unique = cas_unique(version)
        if not unique:
            return "nothing"
        counter = unique // _NODES % _COUNTERS
        ms = milliseconds(version) - WALL - self.zero
        return f"{generation(version) % _VIEWS}:{ms:+}{f'.{counter}' if counter else ''}@{unique % _NODES}"


def _all(numbers: Iterable[int]) -> str:
    return " ".join(map(str, sorted(numbers)))


def _reply(replies: bytes) -> str:
    """Replies in the text protocol, in one line."""
    return " / ".join(replies.decode(errors="replace").removesuffix("\r\n").split("\r\n"))
