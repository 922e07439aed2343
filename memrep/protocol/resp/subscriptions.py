"""Who has subscribed to what on this node, and what has been published for them and not been sent yet.

Problem: what is published has to go to clients that have asked for nothing just now. They may be in the midst
of a long reply, and may read slower than others publish, or not at all.

So a message goes into its subscriber's mailbox. The connection takes it from there when nothing else is being
said, a piece at a time, and the next piece when the shell has sent the one before: a subscriber that does not
read leaves all in its mailbox. That is bounded: who lets it run full is hung up on, and what it has not been
sent is dropped. What lies in mailboxes counts as unsent (flow_control.py), so that all of them together are
bounded, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from memrep.flow_control import FlowControl
from memrep.protocol.replies import OUTPUT_MAX
from memrep.protocol.resp.glob import matcher
from memrep.protocol.resp.spelling import Resp2, bulk

#: So many bytes may wait for one subscriber; one message may always.
MAILBOX_MAX: Final = 8 << 20

#: The names that one client may subscribe to cost so many bytes, each so many beside its length.
NAMES_MAX: Final = 1 << 20
NAME_BYTES: Final = 200


class Line(Protocol):
    """What a mailbox sees of its connection; see `Connection`."""

    flow: FlowControl

    def wake(self) -> None: ...


class Subscriber:
    """One client, as far as it is told what is published.

    Args:
        line: its connection.

    Attributes:
        channels: those that it has subscribed to,
        patterns: and the patterns.
    """

    __slots__ = ("_cost", "_line", "_mail", "_sending", "_size", "channels", "patterns")

    def __init__(self, line: Line) -> None:
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self._line = line
        self._mail: deque[bytes] = deque()
        self._size = 0  # bytes of it
        self._cost = 0  # of the names
        self._sending = False  # what was taken last may be unsent

    def __len__(self) -> int:
        """Return to how many channels and patterns it has subscribed."""
        return len(self.channels) + len(self.patterns)

    def begin(self, names: dict[bytes, None], name: bytes) -> bool:
        """Note one more of its channels or patterns; False if that would be too many."""
        cost = len(name) + NAME_BYTES
        if self._cost + cost > NAMES_MAX:
            return False
        self._cost += cost
        names[name] = None
        return True

    def end(self, names: dict[bytes, None], name: bytes) -> None:
        """Forget one of them."""
        del names[name]
        self._cost -= len(name) + NAME_BYTES

    @property
    def waits(self) -> bool:
        """Tell whether something lies in its mailbox, or what was taken last may be unsent."""
        return self._sending or bool(self._mail)

    def post(self, message: bytes) -> bool:
        """Put a message into its mailbox; False if that is full."""
        if self._mail and self._size + len(message) > MAILBOX_MAX:
            return False
        self._mail.append(message)
        self._size += len(message)
        self._line.flow.keep(len(message))
        if not self._sending:
            self._line.wake()
        return True

    def take(self) -> Sequence[bytes]:
        """Return what is to be sent next; what was taken before has been sent."""
        self._sending = bool(self._mail)
        if not self._mail:
            return ()
        taken: list[bytes] = []
        size = 0
        while self._mail and size < OUTPUT_MAX:
            taken.append(self._mail.popleft())
            size += len(taken[-1])
        self._size -= size
        self._line.flow.keep(-size)
        return taken

    def empty(self) -> None:
        """Drop what lies in its mailbox."""
        self._mail.clear()
        self._line.flow.keep(-self._size)
        self._size = 0


class Receiver(Protocol):
    """A client, as it is seen here."""

    say: Resp2

    @property
    def subscriber(self) -> Subscriber: ...

    def hang_up(self) -> None: ...


class Subscriptions:
    """The subscriptions of all clients of one node."""

    def __init__(self) -> None:
        self._channels: dict[bytes, dict[Receiver, None]] = {}
        self._patterns: dict[bytes, dict[Receiver, None]] = {}
        self._fits: dict[bytes, Callable[[bytes], object]] = {}  # what each pattern is looked for with

    # --- who

    def subscribe(self, client: Receiver, channel: bytes) -> bool:
        """Subscribe a client to a channel; False if it has too many."""
        return _add(self._channels, client, client.subscriber.channels, channel)

    def subscribe_to_pattern(self, client: Receiver, pattern: bytes) -> bool:
        """Subscribe a client to all channels that fit a pattern; False if it has too many."""
        fits = self._fits.get(pattern) or matcher(pattern)
        if not _add(self._patterns, client, client.subscriber.patterns, pattern):
            return False
        self._fits[pattern] = fits
        return True

    def unsubscribe(self, client: Receiver, channel: bytes) -> None:
        """Undo a subscription to a channel, if there is one."""
        _remove(self._channels, client, client.subscriber.channels, channel)

    def unsubscribe_from_pattern(self, client: Receiver, pattern: bytes) -> None:
        """Undo a subscription to a pattern, if there is one."""
        _remove(self._patterns, client, client.subscriber.patterns, pattern)
        if pattern not in self._patterns:
            self._fits.pop(pattern, None)

    def drop(self, client: Receiver) -> None:
        """Undo all of a client's subscriptions, and drop what it has not been sent."""
        subscriber = client.subscriber
        for channel in list(subscriber.channels):
            self.unsubscribe(client, channel)
        for pattern in list(subscriber.patterns):
            self.unsubscribe_from_pattern(client, pattern)
        subscriber.empty()

    # --- what

    def publish(self, channel: bytes, text: bytes) -> int:
        """Send this text to all clients that have subscribed to this channel; return to how many."""
        sent = _send(self._channels.get(channel, ()), [b"message", channel, text])
        for pattern, fits in list(self._fits.items()):
            if pattern in self._patterns and fits(channel):  # else who had it has been hung up on just now
                sent += _send(self._patterns[pattern], [b"pmessage", pattern, channel, text])
        return sent

    # --- how many

    def channels(self) -> Sequence[bytes]:
        """Return the channels that some client has subscribed to."""
        return list(self._channels)

    def number_of(self, channel: bytes) -> int:
        """Return how many clients have subscribed to this channel."""
        return len(self._channels.get(channel, ()))

    @property
    def patterns(self) -> int:
        """Return how many patterns there are."""
        return len(self._patterns)


_ByName = dict[bytes, dict[Receiver, None]]


def _add(by_name: _ByName, client: Receiver, names: dict[bytes, None], name: bytes) -> bool:
    if name in names:
        return True
    if not client.subscriber.begin(names, name):
        return False
    by_name.setdefault(name, {})[client] = None
    return True


def _remove(by_name: _ByName, client: Receiver, names: dict[bytes, None], name: bytes) -> None:
    if name not in names:
        return
    client.subscriber.end(names, name)
    receivers = by_name[name]
    del receivers[client]
    if not receivers:
        del by_name[name]


def _send(receivers: dict[Receiver, None] | tuple[()], parts: Sequence[bytes]) -> int:
    """Put a message into each mailbox, spelled once for each version; hang up on those whose is full."""
    spelled: dict[int, bytes] = {}
    sent = 0
    for client in list(receivers):
        say = client.say
        message = spelled.get(say.version)
        if message is None:
            message = spelled[say.version] = say.push([bulk(part) for part in parts])
        if client.subscriber.post(message):
            sent += 1
        else:
            client.hang_up()
    return sent
