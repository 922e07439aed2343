"""The comparison with redis-server: what is said by chance to it and to a node must be answered alike.

`python -m tests.fuzz.redis --minutes 10`. In a conversation up to three clients take turns, some of them where
there is a password; they begin with RESP2. At each turn one says a few commands (redis_grammar.py), in one
piece or in several, and all that any of them is told is compared, be it a reply or what another one has
published. What is a matter of time, order or taste is levelled out. Something that is no command at all comes
now and then, too.

A node's answers are known at once, and say how many replies redis-server is waited for; one that it says
beyond these is found at the client's next turn, or at the end, where each says RESET.

What differs is said again, to both, for it may have been a matter of time; and then without each of its turns,
as long as it differs still, so that the shortest such conversation is shown.
"""

from __future__ import annotations

import ast
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs
import click

from memrep.protocol.connection import Connection
from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.dialect import Resp
from memrep.protocol.users import parse_users
from tests.conformance.servers import REDIS_PASSWORD, RealRedis, _Socket
from tests.conformance.servers import USERS as NAMES
from tests.fuzz import redis_grammar
from tests.fuzz.grammar import Chance
from tests.fuzz.redis_grammar import BROKEN
from tests.fuzz.redis_replies import messages_last, split
from tests.harness.lone_node import lone_node

_CLIENTS: Final = 3
_TURNS: Final = 40

#: One turn in so many is no command.
_BROKEN_EVERY: Final = 150

#: One conversation in so many is with servers that ask for a password.
_LOGINS_EVERY: Final = 5

#: How long redis-server is waited for where it owes a reply, s: there is nothing else that it does.
_PATIENCE_S: Final = 0.5

#: How often a difference must be seen.
_TRIES: Final = 4

#: Both servers know these users; redis-server's `default` is who names none.
_USERS: Final = parse_users(
    b"default:%b\nother:%b\n" % (REDIS_PASSWORD.encode(), NAMES["other"].encode()), "users"
)

#: What is over before anything is compared; redis-server is another one's, too.
_CLEAN: Final = (b"FLUSHALL", b"SCRIPT FLUSH")

_TIMED: Final = re.compile(rb"ttl|exec|expiretime", re.IGNORECASE)
_UNORDERED: Final = re.compile(rb"keys|scan|exec|channels|unsubscribe", re.IGNORECASE)
_PUBLISHED: Final = re.compile(rb"publish", re.IGNORECASE)
_NOT_BEHIND_MULTI: Final = re.compile(rb"subscribe|reply")
_RESET_ALONE: Final = re.compile(rb"(?:\*1\r\n\$5\r\n)?reset\r?\n")
_ENDS: Final = re.compile(rb"quit|kill|post|host:")


@attrs.frozen
class Turn:
    """What one client says: the pieces in which it comes."""

    client: int
    pieces: tuple[bytes, ...]

    @property
    def said(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)


@attrs.frozen
class Conversation:
    """Turns, with servers that ask for a password or not."""

    locked: bool
    turns: tuple[Turn, ...]

    def written(self) -> str:
        """As it is kept in a file."""
        return "\n".join([repr(self.locked), *(repr((turn.client, turn.pieces)) for turn in self.turns)]) + "\n"

    @staticmethod
    def read(text: str) -> Conversation:
        """From a file."""
        locked, *turns = map(ast.literal_eval, text.splitlines())
        return Conversation(locked, tuple(Turn(client, pieces) for client, pieces in turns))


def conversation(chance: random.Random, turns: int = _TURNS) -> Conversation:
    """Make one up."""
    source = Chance(chance)
    locked = chance.randrange(_LOGINS_EVERY) == 0
    words = redis_grammar.compared_login if locked else redis_grammar.compared
    made = []
    for _ in range(turns):
        client = min(chance.randrange(_CLIENTS), chance.randrange(_CLIENTS))
        if chance.randrange(_BROKEN_EVERY) == 0:
            said = chance.choice(BROKEN)
        else:
            count = chance.choice((1, 1, 1, 1, 2, 4))
            said = b"".join(redis_grammar.spelled_somehow(source, words(source)) for _ in range(count))
            if chance.randrange(30) == 0:
                said = redis_grammar.nothing(source) + said
        at = chance.randrange(1, len(said))
        made.append(Turn(client, (said[:at], said[at:]) if chance.randrange(8) == 0 else (said,)))
    return Conversation(locked, tuple(made))


def levelled(said: bytes, told: bytes) -> bytes:
    """What must be the same: times may differ by their digits, lists of names by their order."""
    told = messages_last(told)  # redis-server tells a client what it publishes itself before anything else
    told = re.sub(rb"(\$2\r\nid\r\n):\d+", rb"\1:id", told)
    if _TIMED.search(said):
        told = re.sub(rb":\d{3,}", b":many", told)
    if _PUBLISHED.search(said):  # several patterns of one client have no order
        told = b"".join(sorted(split(told)[0]))
    return b"\r\n".join(sorted(told.split(b"\r\n"))) if _UNORDERED.search(said) else told


def shown(data: bytes) -> str:
    """For people, who need not see long rows of the same byte."""
    return repr(re.sub(rb"(?s)(.)\1{29,}", lambda row: b"%b{*%d}" % (row[1], len(row[0])), data))


def _breaks(said: bytes) -> bool:
    """Whether it is no command."""
    return said in map(bytes.lower, BROKEN)


class _Node:
    """A node alone, and all its clients."""

    def __init__(self, locked: bool) -> None:
        self._lone = lone_node(users=_USERS if locked else None)
        self._began, self._first = time.monotonic(), self._lone._now
        self._told: dict[Connection, bytes] = {}

    def connect(self) -> Connection:
        """A new client."""
        connection = self._lone.node.clients.connect(port=REDIS)
        self._told[connection] = b""
        return connection

    def say(self, connection: Connection, data: bytes) -> None:
        """One client says this."""
        clients = self._lone.node.clients
        # Time passes as it does for redis-server, else 100 seconds from now would never be later than before.
        self._lone._now = self._first + round((time.monotonic() - self._began) * 1000)
        self._lone.begin()
        self._told[connection] += clients.receive(connection, data)
        self._lone.end()
        self._collect()
        while going := [each for each in self._told if self._may_go_on(each)]:
            self._lone.begin()
            for each in going:
                self._told[each] += clients.resume(each)
            self._lone.end()
            self._collect()

    def _collect(self) -> None:
        for target, data in self._lone.take():
            if target in self._told:
                self._told[target] += data

    @staticmethod
    def _may_go_on(connection: Connection) -> bool:
        return connection.blocked and not (connection.closing or connection.waiting or connection.outside)

    def told(self, connection: Connection) -> bytes:
        """What it has been told since the last time."""
        told, self._told[connection] = self._told[connection], b""
        return told

    def leave(self, connection: Connection) -> None:
        """It hangs up."""
        self._lone.begin()
        self._lone.node.clients.disconnect(connection)
        self._lone.end()
        del self._told[connection]


class Pair:
    """redis-server and a node, side by side."""

    def __init__(self, locked: bool, redis: RealRedis) -> None:
        self._locked = locked
        self._redis = redis
        self._node = _Node(locked)

    def differ(self, turns: Sequence[Turn]) -> str | None:
        """Hold this conversation; how they answer otherwise, or None."""
        self._node = _Node(self._locked)
        cleaner = self._redis.connect()
        password = b"AUTH %b\r\n" % REDIS_PASSWORD.encode() if self._locked else b"PING\r\n"
        cleaner.send([password, *(line + b"\r\n" for line in _CLEAN)], lambda told: told.count(b"\r\n") == 3)
        cleaner.close()
        both = _Both(self._redis, self._node)
        try:
            for turn in turns:
                if (found := both.take_turn(turn)) is not None:
                    return found
            for client in range(_CLIENTS):  # what has been said too much is found now
                if (found := both.take_turn(Turn(client, (b"RESET\r\n",)))) is not None:
                    return found
        finally:
            both.end()
        return None


class _Both:
    """The clients of one conversation, each of whom is connected to both servers."""

    def __init__(self, redis: RealRedis, node: _Node) -> None:
        self._redis = redis
        self._node = node
        self._theirs = {client: self._connect() for client in range(_CLIENTS)}
        self._ours = {client: node.connect() for client in range(_CLIENTS)}

    def take_turn(self, turn: Turn) -> str | None:
        """How it is answered otherwise; None if it is not."""
        ours, theirs = self._ours, self._theirs
        if self._is_listed(ours[turn.client], turn.said):
            return None
        for piece in turn.pieces:
            if not ours[turn.client].closing:
                self._node.say(ours[turn.client], piece)
        for client in sorted(ours, key=lambda client: client != turn.client):
            told, closes = self._node.told(ours[client]), ours[client].closing
            if client != turn.client and not (told or closes):
                continue
            awaited = len(split(told)[0])
            want = theirs[client].send(
                turn.pieces if client == turn.client else (),
                lambda reply, awaited=awaited, closes=closes: not closes and len(split(reply)[0]) >= awaited,  # type: ignore[misc]
            )
            if levelled(turn.said, want) != levelled(turn.said, told) or closes != theirs[client].closed:
                ends = " and hangs up"
                return (
                    f"{shown(turn.said)} by client {turn.client} tells client {client}\n"
                    f"  redis-server: {shown(want)}{ends * theirs[client].closed}\n"
                    f"  memrep:       {shown(told)}{ends * closes}"
                )
            if closes:
                self._come_again(client)
        return None

    def _connect(self) -> _Socket:
        theirs = self._redis.connect()
        theirs._socket.settimeout(_PATIENCE_S)
        return theirs

    def _come_again(self, client: int) -> None:
        self._node.leave(self._ours[client])
        self._theirs[client].close()
        self._ours[client], self._theirs[client] = self._node.connect(), self._connect()

    @staticmethod
    def _is_listed(connection: Connection, said: bytes) -> bool:
        """Whether memrep means to answer that otherwise.

        Subscribing is refused behind MULTI, and an EXEC is answered as a whole. redis-server never hangs up on
        who wants no replies, and drops what it has not sent yet where RESET makes a stranger of a client. A
        watched key that was missing, and is missing again, has not changed.
        """
        dialect, said = connection._dialect, said.lower()
        assert isinstance(dialect, Resp)
        client = dialect._client
        if (client.transaction is not None or b"multi" in said) and _NOT_BEHIND_MULTI.search(said):
            return True
        if client.server.users is not None and b"reset" in said and not _RESET_ALONE.fullmatch(said):
            return True
        if (client.muted or b"reply" in said) and (_ENDS.search(said) or _breaks(said)):
            return True
        return b"exec" in said and None in client.watched.values()

    def end(self) -> None:
        """All hang up."""
        for client in self._theirs.values():
            client.close()


class Comparison:
    """Holds conversations with servers of both kinds."""

    def __init__(self, open_redis: RealRedis, locked_redis: RealRedis) -> None:
        self._pairs = {False: Pair(False, open_redis), True: Pair(True, locked_redis)}
        self.unsteady = 0

    def differs(self, one: Conversation) -> str | None:
        """How it is answered otherwise, time and again; None if it is not."""
        found = self._pairs[one.locked].differ(one.turns)
        for _ in range(_TRIES - 1):
            if found is None:
                return None
            again = self._pairs[one.locked].differ(one.turns)
            self.unsteady += again is None
            found = again
        return found

    def shortest(self, one: Conversation) -> Conversation:
        """It without the turns that do not matter."""
        turns = list(one.turns)
        size = len(turns) // 2
        while size:
            for at in range(len(turns) - size, -1, -size):
                fewer = turns[:at] + turns[at + size :]
                if self._pairs[one.locked].differ(fewer) is not None:
                    turns = fewer
            size //= 2
        return Conversation(one.locked, tuple(turns))


def search(chance: random.Random, go_on: Callable[[], bool]) -> Iterator[tuple[Conversation, str]]:
    """Hold conversations with redis-server and with a node, as long as that is wanted.

    Yields:
        What was answered otherwise, one of each kind, and how.
    """
    found: set[bytes] = set()
    with RealRedis() as open_redis, RealRedis("redisauth") as locked_redis:
        comparison = Comparison(open_redis, locked_redis)
        while go_on():
            one = conversation(chance)
            if comparison.differs(one) is None:
                continue
            one = comparison.shortest(one)
            kind = re.sub(rb"[^a-z]+", b" ", one.turns[-1].said.lower()) if one.turns else b""
            how = comparison.differs(one)
            if how is not None and kind not in found:
                found.add(kind)
                yield one, how


def compare(seconds: float, seed: int, folder: Path, tell: Callable[[str], None]) -> list[Path]:
    """Search for so long; returns the files of what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    over = time.monotonic() + seconds
    count = 0

    def go_on() -> bool:
        nonlocal count
        count += time.monotonic() < over
        return time.monotonic() < over

    files = []
    for number, (one, how) in enumerate(search(random.Random(seed), go_on)):
        file = folder / f"difference-{seed}-{number}"
        file.write_text(one.written())
        files.append(file)
        tell("\n".join(f"client {turn.client} > {shown(turn.said)}" for turn in one.turns) + f"\n{how}")
    tell(f"redis-server: {count} conversations of {_TURNS} turns compared, {len(files)} differences")
    return files


def replay(file: Path) -> str | None:
    """Hold again what was found; how it differs, or None."""
    with RealRedis() as open_redis, RealRedis("redisauth") as locked_redis:
        return Comparison(open_redis, locked_redis).differs(Conversation.read(file.read_text()))


@click.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--seed", default=None, type=int, help="Begin with this one.  [default: by chance]")
def main(minutes: float, seed: int | None) -> None:
    """Compare a node with redis-server."""
    seed = random.randrange(1 << 30) if seed is None else seed
    click.echo(f"seed {seed}")
    sys.exit(bool(compare(minutes * 60, seed, Path(".fuzz") / "redis-server", click.echo)))


if __name__ == "__main__":
    main()
