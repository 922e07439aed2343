"""Clients of Redis' protocol, over the same keys as memcached's: pipelines, transactions, flushes.

One says several commands in one go and is answered in the same order; or it watches a key, looks at it, and
changes it, and perhaps another one, by a transaction. A transaction is one change to each of its keys: to the
history of a key all of it happens in one moment, and what the keys have to do with each other is not looked at.

Some keys are in a database of their own, which is flushed now and then: that is one change to each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Final

import attrs

from memrep.protocol.negotiation import REDIS
from tests.simulation.linearizability import ANY, Changes, Keeps, Meaning, Operation, Writes, in_turn, only
from tests.simulation.resp_codec import STORING, Reply, command, in_words, read, spellings
from tests.simulation.semantics import BEHIND, Sent, nth
from tests.simulation.workload import Client, Exchange, Part
from tests.simulation.world import World

#: What is said of a key, by how often,
_VERBS: Final = [
    "get", "get", "set", "set", "add", "replace", "count", "count", "extend", "delete", "getset", "getdel",
    "release", "release", "touch", "touch", "persist",
]  # fmt: skip

#: and in a transaction, where it must be known what a command does of which nobody was told.
_QUEUED: Final = ["get", "get", "set", "count", "count", "extend", "delete", "getset", "getdel"]

#: The share of exchanges that are transactions, of these that watch a key, and of these that change two keys.
_TRANSACTIONS: Final = 0.3
_WATCHES: Final = 0.5
_TWO_KEYS: Final = 0.4

#: The share of commands and transactions in the other database, and of those there that flush it.
_ELSEWHERE: Final = 0.15
_FLUSHES: Final = 0.15

#: How the keys of the other database are called in histories.
ELSEWHERE: Final = b"1:"

#: What one of them has last seen of each key; None that it was missing.
Seen = dict[bytes, bytes | None]


@attrs.define(eq=False)
class Verb:
    """One command on one key, and the reply to it.

    Attributes:
        verb: what it does.
        key: to what, as it is called in histories.
        words: how it is spelled.
        value: what it brings.
        expected: the value that must be there.
        reply: the answer in classic words; None as long as there is none.
    """

    verb: str
    key: bytes
    words: tuple[bytes, ...]
    value: bytes = b""
    expected: bytes = b""
    reply: bytes | None = None

    @classmethod
    def draw(cls, rng: Random, key: bytes, world: World, seen: Seen, verbs: Sequence[str] = _VERBS) -> Verb:
        """Some command on this key, at which this client has seen that."""
        verb = rng.choice(verbs)
        if verb == "release" and seen.get(key) is None:
            verb = "get"
        world.values += 1
        value = BEHIND if verb == "extend" else nth(world.values) if verb in STORING else b""
        expected = (seen.get(key) or b"") if verb == "release" else b""
        return cls.of(rng, verb, key, value, expected)

    @classmethod
    def of(cls, rng: Random, verb: str, key: bytes, value: bytes = b"", expected: bytes = b"") -> Verb:
        """This command, spelled in some way."""
        words = rng.choice(spellings(verb, key.removeprefix(ELSEWHERE), value, expected))
        return cls(verb, key, words, value, expected)

    def meaning(self, reply: bytes | None) -> Meaning | None:
        """What it means."""
        return Sent(self.verb, self.value, self.expected).meaning(reply)

    def told(self, reply: Reply, seen: Seen) -> None:
        """Take the reply, and remember what it shows."""
        self.reply = in_words(self.verb, reply)
        if self.verb == "get" and (self.reply.startswith(b"VALUE") or self.reply == b"END\r\n"):
            seen[self.key] = reply if isinstance(reply, bytes) else None

    def in_a_queue(self) -> Keeps | Writes | Changes:
        """What it does in a transaction that was done, or may have been."""
        if self.reply is None:
            if self.verb == "get":
                return Keeps(ANY)
            if self.verb in ("delete", "getdel"):
                return Writes(ANY, None)
        meaning = self.meaning(self.reply)
        assert isinstance(meaning, Keeps | Writes | Changes)
        return meaning


@attrs.define(eq=False)
class _Done:
    """What commands that were said in one go have done to one key; see `workload.Part`."""

    verb: str
    key: bytes
    value: bytes
    begin: float
    end: float
    text: str
    reply: bytes | None
    mean: Callable[[bytes | None], Meaning | None]

    def operation(self, who: str) -> Operation:
        """See `workload.Part`."""
        shown = "(no answer)" if self.reply is None else repr(self.reply[:60])
        text = f"{self.begin:.1f}-{self.end:.1f} {who}: {self.text} -> {shown}"
        return Operation(self.begin, self.end, self.reply, self.mean, text)


def _spelled(verbs: Sequence[Verb]) -> str:
    return "; ".join(b" ".join(verb.words).decode() for verb in verbs)


class Pipeline:
    """Several commands in one go, each an operation of its own; see `workload.Exchange`."""

    def __init__(self, verbs: Sequence[Verb], seen: Seen, world: World, before: bytes = b"") -> None:
        self._verbs = verbs
        self._ends = [math.inf] * len(verbs)
        self._seen = seen
        self._world = world
        self._silent = 1 if before else 0  # replies that are passed over: to what is said first
        self._data = b""
        self.line = before + b"".join(command(*verb.words) for verb in verbs)
        self.begin = 0.0
        self.unread = 0

    def hear(self, data: bytes, now: float) -> None:
        """See `workload.Exchange`."""
        self._data += data
        while not self.over and (complete := read(self._data)) is not None:
            reply, end = complete
            self._data = self._data[end:]
            if self._silent:
                self._silent -= 1
                continue
            place = self._ends.index(math.inf)
            self._ends[place] = now
            self._verbs[place].told(reply, self._seen)

    @property
    def over(self) -> bool:
        """See `workload.Exchange`."""
        return math.inf not in self._ends

    def goes_on(self) -> bool:
        """See `workload.Exchange`: it does not."""
        return False

    def parts(self) -> Sequence[Part]:
        """See `workload.Exchange`."""
        return [
            _Done(
                verb.verb, key, verb.value, self.begin, end, _spelled([verb]), verb.reply, partial(verb.meaning)
            )
            for verb, end in zip(self._verbs, self._ends, strict=True)
            for key in self._keys(verb)
        ]

    def _keys(self, verb: Verb) -> list[bytes]:
        """The keys whose history it is part of."""
        keys = range(self._world.plan.keys)
        return [ELSEWHERE + b"key%d" % key for key in keys] if verb.verb == "flush" else [verb.key]


class Exec:
    """MULTI, some commands, EXEC: one operation on each key; see `workload.Exchange`.

    Args:
        queue: the commands.
        watched: the key that is watched first, and looked at; b"" if none is.
        seen: what the client has seen of each key.
        look: how the watched key is looked at.
    """

    def __init__(self, queue: Sequence[Verb], seen: Seen, look: Verb | None = None) -> None:
        self._queue = queue
        self._seen = seen
        self._look = look
        self._looked = (0.0, math.inf)
        self._data = b""
        self._exec = b"".join(
            command(*words) for words in [(b"MULTI",), *(verb.words for verb in queue), (b"EXEC",)]
        )
        self.line = self._exec
        if look is not None:
            self.line = command(b"WATCH", *look.words[1:2]) + command(*look.words)
        self.begin = 0.0
        self.unread = 0
        self._end = math.inf
        self._failed = False

    def hear(self, data: bytes, now: float) -> None:
        """See `workload.Exchange`."""
        self._data += data
        looks = self._look is not None and self._looked[1] == math.inf
        replies: list[Reply] = []
        start = 0
        while (complete := read(self._data, start)) is not None:
            replies.append(complete[0])
            start = complete[1]
        if looks and len(replies) == 2:
            assert self._look is not None
            assert replies[0] == b"+OK", f"WATCH is answered with {replies[0]!r}"
            self._look.told(replies[1], self._seen)
            self._looked = (self.begin, now)
            self._data = b""
        elif not looks and len(replies) == len(self._queue) + 2:
            self._end = now
            told = replies[-1]
            assert replies[:-1] == [b"+OK", *[b"+QUEUED"] * len(self._queue)], f"{replies!r} before EXEC"
            self._failed = told is None
            if isinstance(told, list):
                assert len(told) == len(self._queue), f"EXEC is answered with {told!r}"
                for verb, reply in zip(self._queue, told, strict=True):
                    verb.told(reply, self._seen)
            else:
                assert told is None and self._look is not None, f"EXEC is answered with {told!r}"

    @property
    def over(self) -> bool:
        """See `workload.Exchange`."""
        return self._end != math.inf

    def goes_on(self) -> bool:
        """See `workload.Exchange`: behind the look at what is watched."""
        begins = self._looked[1] != math.inf and self.line is not self._exec
        if begins:
            self.line = self._exec
        return begins

    def parts(self) -> Sequence[Part]:
        """See `workload.Exchange`."""
        parts: list[Part] = []
        look = self._look
        if look is not None:
            begin, end = self._looked if self._looked[0] else (self.begin, math.inf)
            mean = partial(look.meaning)
            parts.append(
                _Done("get", look.key, b"", begin, end, "WATCH; " + _spelled([look]), look.reply, mean)
            )
        if self.line is self._exec:
            parts += [self._done(key) for key in dict.fromkeys(verb.key for verb in self._queue)]
        return parts

    def _done(self, key: bytes) -> Part:
        """What it has done to this key."""
        verbs = [verb for verb in self._queue if verb.key == key]
        parts: list[Keeps | Writes | Changes] = [verb.in_a_queue() for verb in verbs]
        end = self._end
        watches = self._look is not None and self._look.key == key
        if self._look is not None and watches:
            parts = [Keeps(only(self._shown)), *parts]
            if self._failed:
                parts = [Keeps(ANY)]
        elif self._failed:
            end = math.inf  # what it has done to another key than that which it has lost may stand
        meaning = in_turn(parts)
        reply = None if end == math.inf else b"(nil)" if self._failed else b"done"
        text = f"{'WATCH; ' if watches else ''}MULTI; {_spelled(verbs)}; EXEC"
        shown = [verb.reply for verb in verbs if verb.reply is not None]
        return _Done("exec", key, b"", self.begin, end, f"{text} {shown}", reply, partial(_means, meaning))

    @property
    def _shown(self) -> bytes | None:
        """What the watched key was."""
        assert self._look is not None and self._look.reply is not None
        reply = self._look.reply
        return reply.split(b"\r\n")[1] if reply.startswith(b"VALUE") else None


def _means(meaning: Meaning, reply: bytes | None) -> Meaning:
    return meaning


class RedisClient(Client):
    """One that speaks Redis' protocol."""

    port = REDIS

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._seen: Seen = {}

    def _draw(self, rng: Random) -> Exchange:
        world, seen = self._world, self._seen
        keys = [b"key%d" % key for key in range(world.plan.keys)]
        rng.shuffle(keys)
        if rng.random() < _TRANSACTIONS:
            used = keys[: 2 if rng.random() < _TWO_KEYS else 1]
            queue = [
                Verb.draw(rng, rng.choice(used), world, seen, _QUEUED)
                for _ in range(rng.choice([1, 2, 2, 3, 4]))
            ]
            look = Verb(verb="get", key=used[0], words=(b"GET", used[0])) if rng.random() < _WATCHES else None
            return Exec(queue, seen, look)
        if rng.random() < _ELSEWHERE:
            keys = [ELSEWHERE + key for key in keys]
            verbs = [
                Verb.of(rng, "flush", keys[0])
                if rng.random() < _FLUSHES
                else Verb.draw(rng, rng.choice(keys), world, seen)
                for _ in range(rng.choice([1, 2]))
            ]
            return Pipeline(verbs, seen, world, command(b"SELECT", b"1"))
        many = rng.choice([1, 1, 2, 3, 5])
        verbs = [Verb.draw(rng, rng.choice(keys), world, seen) for _ in range(many)]
        return Pipeline(verbs, seen, world, command(b"HELLO", b"3") if rng.random() < 0.1 else b"")
