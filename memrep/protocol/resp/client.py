"""What one Redis client has chosen: its database, spelling, name and transaction; and what it may touch.

Handlers get it as their first argument. It makes the steps that plans consist of, with the checks that all
commands share: how long a key may be, how large a value, what is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from memrep.engine.engine import Engine
from memrep.engine.operations import FLUSHED, NO_MEMORY, Decision, Operation, Result
from memrep.protocol.connection import Connection
from memrep.protocol.resp.arguments import ITEM_TOO_LARGE, OUT_OF_MEMORY, CommandError
from memrep.protocol.resp.databases import ALL
from memrep.protocol.resp.plan import Made, Plan, Step, read
from memrep.protocol.resp.server import Server
from memrep.protocol.resp.spelling import SPELLINGS, bulk, error
from memrep.protocol.resp.spelling import integer as spell_integer
from memrep.protocol.resp.subscriptions import Subscriber
from memrep.protocol.resp.transaction import Transaction
from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSH_KEY, flush_key
from memrep.storage.version import ZERO as NO_VERSION

#: CLIENT REPLY OFF: nothing is answered. SKIP: this command is not; SKIP_NEXT: nor is the next one.
OFF: Final = b"off"
SKIP: Final = b"skip"
SKIP_NEXT: Final = b"skip next"

#: The longest key, bytes.
KEY_MAX: Final = 1 << 16


class Client:
    """One client.

    Args:
        engine: executes what its plans say.
        server: what all clients share.

    Attributes:
        database: the one that it has selected.
        say: how it wants replies spelled.
        name: what it calls itself.
        user: as whom it has come in; None if it has to say that first.
        number: its own, which no other client of this node has had.
        library: the name and the version of its library, as it says.
        muted: whether it wants no replies: b"", OFF, SKIP or SKIP_NEXT.
        closing: whether it has said QUIT.
        transaction: what it has said since MULTI; None if it has not said that.
        watched: the states of the keys that it watches, by their stored names; see transactions.py.
        subscriber: what it has subscribed to, and what it has not been sent of that.
        bound: whether its next command may not be taken just as it comes.
        small: so many bytes key and value may always have together.
    """

    __slots__ = (
        "_claim", "_connection", "_since", "bound", "clock", "closing", "database", "engine", "library",
        "muted", "name", "number", "say", "server", "small", "subscriber", "transaction", "user", "watched",
    )  # fmt: skip

    def __init__(self, engine: Engine, server: Server, connection: Connection) -> None:
        self._connection = connection
        self._claim = server.claim(connection)
        self.engine = engine
        self.server = server
        self.clock = server.clock
        self.number = server.next_number()
        self.small = min(KEY_MAX, engine.item_limit.small)
        self.user: bytes | None = None
        self.library = (b"", b"")
        self.closing = False
        self.muted = b""
        self._since = self.clock.now
        self.subscriber = Subscriber(connection)
        self.reset()

    def reset(self) -> None:
        """Be as one that has just come; RESET asks for that."""
        self.user = None if self.server.users else b"default"
        self.database = ALL[0]
        self.say = SPELLINGS[2]
        self.name = b""
        self.muted = SKIP if self.muted == SKIP else b""
        self.transaction: Transaction | None = None
        self.watched: dict[bytes, Result] = {}
        self.settle()

    def settle(self) -> None:
        """See whether the next command may be taken as it comes, after one has been executed."""
        self.bound = bool(self.user is None or self.muted or self.transaction is not None or self.subscriber)

    @property
    def host(self) -> str:
        """Return from where it comes; "" for a unix socket."""
        return self._connection.host

    @property
    def kind(self) -> bytes:
        """Return what kind of client Redis would call it."""
        return b"pubsub" if self.subscriber else b"normal"

    def hang_up(self) -> None:
        """Close its connection when what is known has been said."""
        self.server.left(self)
        self._connection.hang_up()

    def described(self, command: bytes) -> bytes:
        """Spell it for CLIENT LIST; the command is that which asks, for others' last are not remembered."""
        seconds = (self.clock.now - self._since) // 1000
        fields = {
            b"id": b"%d" % self.number,
            b"addr": b"127.0.0.1:0",
            b"laddr": b"127.0.0.1:%d" % self.server.port,
            b"fd": b"0",
            b"name": self.name,
            b"age": b"%d" % seconds,
            b"idle": b"0",
            b"flags": b"P" if self.subscriber else b"x" if self.transaction is not None else b"N",
            b"db": b"%d" % self.database.number,
            b"sub": b"%d" % len(self.subscriber.channels),
            b"psub": b"%d" % len(self.subscriber.patterns),
            b"ssub": b"0",
            b"multi": b"%d" % (-1 if self.transaction is None else len(self.transaction.queue)),
            b"qbuf": b"0",
            b"qbuf-free": b"0",
            b"argv-mem": b"0",
            b"multi-mem": b"0",
            b"rbs": b"1024",
            b"rbp": b"0",
            b"obl": b"0",
            b"oll": b"0",
            b"omem": b"0",
            b"tot-mem": b"0",
            b"events": b"r",
            b"cmd": command,
            b"user": self.user or b"(none)",
            b"redir": b"-1",
            b"resp": b"%d" % self.say.version,
        }
        return b" ".join([b"%b=%b" % field for field in fields.items()])

    # --- keys and steps

    def key(self, word: bytes) -> bytes:
        """Return the stored name of this key."""
        return self.database.stored(word)

    def shown(self, found: Result) -> bytes:
        """Spell the value of an entry that was found, or nothing."""
        value = found.value if isinstance(found, Entry) else None
        return self.say.nil if value is None else bulk(value)

    def reading(self, word: bytes) -> Step:
        """Read the value of this key, which is a use of it."""
        key = self.key(word)
        return Step(key, read, count=partial(self._used, key))

    def _used(self, key: bytes, found: Result) -> None:
        self.engine.count_get(key, found)
        if isinstance(found, Entry):
            found.seen = self.clock.now

    def looking(self, key: bytes) -> Step:
        """Look at what is there under this stored name: no use of it, but counted as a get, as by Redis."""
        return Step(key, read, count=partial(self.engine.count_get, key))

    def touching(self, key: bytes, decide: Operation, missed: bytes) -> Step:
        """Change the key of this stored name in another way than by storing; that counts as a touch.

        Args:
            key: the stored name.
            decide: what becomes of it.
            missed: what that tells where nothing was found, or it was not what it had to be.
        """
        counters = self.engine.counters

        def count(result: Result) -> None:
            counters.cmd_touch += 1
            counters.touch_hits += result != missed
            counters.touch_misses += result == missed

        return Step(key, decide, count=count)

    def check_size(self, key: bytes, value: bytes) -> None:
        """Refuse a value that is too large for its key, or a key that is too long.

        Raises:
            CommandError: it is.
        """
        if len(key) > KEY_MAX or self.engine.item_limit.too_large(key, 0, len(value)):
            self.engine.counters.store_too_large += 1
            raise CommandError(ITEM_TOO_LARGE)

    def storing(self, key: bytes, value: bytes, decide: Operation) -> Step:
        """Store this value under this stored name, or whatever else `decide` makes.

        Raises:
            CommandError: it is too large.
        """
        self.check_size(key, value)
        return Step(key, decide, len(value))

    def claiming(self, key: bytes, value: bytes, decide: Operation) -> Step:
        """Store this value under this stored name if `decide` finds nothing there.

        Raises:
            CommandError: it is too large.
        """
        self.check_size(key, value)
        decide, count = self._claim(key, value, decide)
        return Step(key, decide, len(value), count)

    def changing(self, word: bytes, length: int, change: Callable[[bytes], tuple[bytes, int]]) -> Step:
        """Change the value of this key, or an empty one; `change` makes the new one and a number to be told."""
        key = self.key(word)
        if self.engine.item_limit.too_large(key, 0, length):
            raise CommandError(ITEM_TOO_LARGE)
        fits = self.engine.item_limit.fits

        def decide(entry: Entry | None) -> Decision:
            value, number = change(b"" if entry is None else entry.value or b"")
            flags, expires = (0, NEVER) if entry is None else (entry.flags, entry.expires)
            if not fits(key, flags, len(value)):
                return error(ITEM_TOO_LARGE)
            return Entry(NO_VERSION, value, flags, expires), spell_integer(number)

        return Step(key, decide, length)

    def flushing(self, number: int | None) -> Step:
        """Flush the database of this number; all of them if None."""
        key = FLUSH_KEY if number is None else flush_key(number)
        self.engine.counters.cmd_flush += 1
        return Step(key, lambda entry: (Entry(NO_VERSION, b"flush", 0, NEVER), FLUSHED))

    # --- what results tell

    def told(self, plan: Plan, results: Sequence[Result]) -> Made:
        """Return what a plan makes of its results; or why its second half, made of them, is refused."""
        if NO_MEMORY in results and not plan.mixed:
            return error(OUT_OF_MEMORY)
        if plan.finish is None:
            return self.spelled(results[0])
        try:
            return plan.finish(results)
        except CommandError as refusal:
            return error(refusal.text)

    def spelled(self, result: Result) -> bytes:
        """Return a result that is spelled already; spell one that tells that it was refused."""
        return result if isinstance(result, bytes) else self.refused(result)

    def refused(self, result: Result) -> bytes:
        """Return what is said where nothing could be stored."""
        assert result is NO_MEMORY, result
        return error(OUT_OF_MEMORY)

    def removing_if(self, value: bytes, removed: bytes, refused: bytes) -> Operation:
        """Delete what is there if it is this value."""
        tombstone = self.engine.tombstone
        return lambda entry: refused if entry is None or entry.value != value else (tombstone(), removed)
