"""MULTI, EXEC and WATCH: commands that are queued, then done as one.

What the queue does to one key becomes one function of that key's entry (plan.py), which the cluster commits as
a whole: nobody ever sees half of it, on any node. Different keys are committed beside each other; another node
may see one before the other. EXEC answers when all are.

A WATCH remembers the version that a key has, be it that of a tombstone, and whether there is a value. EXEC does
nothing if one has another version; of the keys that its queue names that is looked at again in the moment of
the change, so that of two rivals on two nodes one loses.

A long queue is thought out, and told, a piece at a time, with others in between. From the look at what is
watched to the last change it is one moment (execution.py): on its own node nobody comes in between. Only a
command that looks at all keys there are gives way in the midst of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

import attrs
import msgspec

from memrep.engine.operations import Decision, Operation, Outcome, Result
from memrep.protocol.dialect import COMMANDS_A_LOOK
from memrep.protocol.resp.arguments import CommandError
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import CONTROL, FAST, NO_KEYS, WRITE, Command
from memrep.protocol.resp.plan import NOTHING, Made, Plan, Step
from memrep.protocol.resp.spelling import OK, error, pieces
from memrep.protocol.resp.transaction import Transaction
from memrep.storage.entry import Entry

Words = Sequence[bytes]

#: How the states of keys begin that are not there, and of others.
_MISSING: Final = b"-"
_THERE: Final = b"+"

#: A watched key has changed.
CHANGED: Final = Outcome("changed")


def multi(client: Client, words: Words) -> bytes:
    """MULTI"""
    if client.transaction is not None:
        raise CommandError(b"ERR MULTI calls can not be nested")
    client.transaction = Transaction()
    return OK


def discard(client: Client, words: Words) -> bytes:
    """DISCARD"""
    if client.transaction is None:
        raise CommandError(b"ERR DISCARD without MULTI")
    client.transaction = None
    client.watched.clear()
    return OK


def watch(client: Client, words: Words) -> Plan:
    """WATCH key ..."""
    if client.transaction is not None:
        raise CommandError(b"ERR WATCH inside MULTI is not allowed")
    keys = [client.key(word) for word in words[1:]]

    def remember(results: Sequence[Result]) -> bytes:
        for key, found in zip(keys, results, strict=True):
            client.watched.setdefault(key, found)
        return OK

    return Plan([_looking(client, key) for key in keys], remember)


def unwatch(client: Client, words: Words) -> bytes:
    """UNWATCH"""
    client.watched.clear()
    return OK


def exec_(client: Client, words: Words) -> Plan:
    """EXEC"""
    transaction = client.transaction
    if transaction is None:
        raise CommandError(b"ERR EXEC without MULTI")
    client.transaction = None
    watched, client.watched = client.watched, {}
    if transaction.broken:
        raise CommandError(b"EXECABORT Transaction discarded because of previous errors.")
    return _Execution(client, transaction.queue, watched).begin()


def _looking(client: Client, key: bytes) -> Step:
    """Look at the state of this key; that counts as a get."""

    def count(state: Result) -> None:
        missing = isinstance(state, bytes) and state.startswith(_MISSING)
        client.engine.count_get(key, None if missing else state)

    return Step(key, partial(_state, client, key), count=count)


def _state(client: Client, key: bytes, entry: Entry | None) -> bytes:
    """Return what is another thing whenever this key has been changed: one deleted again is not as it was."""
    return (_MISSING if entry is None else _THERE) + client.server.store.version(key)


class _Item(msgspec.Struct, frozen=True):
    """A command of the queue that is thought out: what it says, or the plan, and the steps of that."""

    made: bytes | Plan
    steps: tuple[Step, ...] = ()

    @property
    def phased(self) -> bool:
        return isinstance(self.made, Plan) and self.made.phased


def _thought_out(client: Client, command: Command, words: Words) -> _Item:
    try:
        made = command.handler(client, words)
    except CommandError as refusal:
        return _Item(error(refusal.text))
    if isinstance(made, bytes):
        return _Item(made)
    if isinstance(made, Plan):
        return _Item(made, tuple(made.steps))
    return _Item(Plan((), lambda results: client.spelled(results[0]), phased=True, walk=made))


def _whole(reply: bytes | Iterator[bytes]) -> bytes:
    return reply if isinstance(reply, bytes) else b"".join(reply)


def _bit_by_bit(work: Iterator[None], then: Callable[[], Made], *, whole: bool) -> Plan:
    """Do work that grows with the queue, some of it at a time or whole, and then what is made of it."""

    def rest() -> Iterator[bytes]:
        while len(list(islice(work, COMMANDS_A_LOOK))) == COMMANDS_A_LOOK:
            yield b""

    return Plan((), lambda results: then(), phased=True, mixed=True, whole=whole, walk=rest())


class _Execution:
    """The commands of a queue on their way, as many at a time as need no other one's second half."""

    def __init__(
        self, client: Client, queue: list[tuple[Command, Words]], watched: dict[bytes, Result]
    ) -> None:
        self._client = client
        self._queue = queue
        self._watched = watched
        self._has_begun = False
        self._replies: list[bytes] = []

    def begin(self) -> Plan:
        """Think the first commands out, look at what is watched, and go on if nothing of it has changed."""
        batch: list[_Item] = []
        by_key: dict[bytes, list[Step]] = {}
        return _bit_by_bit(self._think(batch, by_key), lambda: self._look(batch, by_key), whole=False)

    def _look(self, batch: Sequence[_Item], by_key: dict[bytes, list[Step]]) -> Plan:
        watched = self._watched

        def judge(results: Sequence[Result]) -> Made:
            if any(found != state for found, state in zip(results, watched.values(), strict=True)):
                return self._client.say.nil_array
            self._has_begun = True
            return self._carry_out(batch, by_key) if batch else self._go_on()

        steps = [Step(key, partial(_state, self._client, key)) for key in watched]
        return Plan(steps, judge, phased=True, whole=True)

    def _go_on(self) -> Made:
        """Think the next commands out up to one with a second half, which are one plan; or reply to EXEC."""
        if len(self._replies) == len(self._queue):
            return pieces(bytes, self._replies)
        batch: list[_Item] = []
        by_key: dict[bytes, list[Step]] = {}
        return _bit_by_bit(self._think(batch, by_key), lambda: self._carry_out(batch, by_key), whole=True)

    def _think(self, batch: list[_Item], by_key: dict[bytes, list[Step]]) -> Iterator[None]:
        """Think the commands out, and what they do to each key."""
        for place in range(len(self._replies), len(self._queue)):
            command, words = self._queue[place]
            # One without keys may look at all of them, change how the next is understood, or act at once.
            if command.flags & NO_KEYS and (batch or not self._has_begun):
                return
            item = _thought_out(self._client, command, words)
            batch.append(item)
            for step in item.steps:
                by_key.setdefault(step.key, []).append(step)
            if command.flags & WRITE and command.flags & NO_KEYS:
                self._watched.clear()  # a flush changes all there are, and stands alone in its batch
            if item.phased:
                return
            yield

    def _carry_out(self, batch: Sequence[_Item], by_key: dict[bytes, list[Step]]) -> Plan:
        first = batch[0].made
        if isinstance(first, Plan) and first.walk is not None:
            return self._inner(first)

        def finish(results: Sequence[Result]) -> Made:
            if CHANGED in results:
                return self._client.say.nil_array
            return self._tell(batch, dict(zip(by_key, results, strict=True)))

        steps = (self._together(*item) for item in by_key.items())
        return Plan(steps, finish, phased=True, mixed=True, whole=True)

    def _together(self, key: bytes, steps: Sequence[Step]) -> Step:
        """Make one step, with a list of results, of what several steps do to one key, one after the other."""
        checks = key in self._watched
        if len(steps) == 1 and not checks:
            return Step(key, steps[0].decide, steps[0].length)
        decides: list[Operation] = [step.decide for step in steps]
        state = self._watched.pop(key, None)  # from here on it is this transaction that changes it
        clock = self._client.clock

        def decide(entry: Entry | None) -> Decision:
            # Looked at in this very moment: a rival may have been quicker since EXEC began.
            if checks and _state(self._client, key, entry) != state:
                return CHANGED
            results: list[Result] = []
            new: Entry | None = None
            for each in decides:
                decision = each(entry)
                if isinstance(decision, tuple):
                    new, result = decision
                    # What has ended is gone for the next command, too, though it has not been stored yet.
                    entry = new if new.value is not None and new.expires > clock.now else None
                else:
                    result = decision
                results.append(result)
            return results if new is None else (new, results)

        lengths = [step.length for step in steps if step.length != NOTHING]
        return Step(key, decide, sum(lengths) if lengths else NOTHING)

    def _tell(self, batch: Sequence[_Item], by_key: dict[bytes, Result]) -> Plan:
        """Spell the replies of this batch; what has a second half is the last."""
        left = {key: iter(results) if isinstance(results, list) else None for key, results in by_key.items()}
        second_half: list[Plan] = []

        def spell() -> Iterator[None]:
            for item in batch:
                results: list[Result] = []
                for step in item.steps:
                    these = left[step.key]
                    # None of these: there was this step alone, or no memory for any.
                    results.append(by_key[step.key] if these is None else next(these))
                    if step.count is not None:
                        step.count(results[-1])
                reply = self._client.told(item.made, results) if isinstance(item.made, Plan) else item.made
                if isinstance(reply, Plan):
                    second_half.append(reply)
                else:
                    self._replies.append(_whole(reply))
                yield

        more = batch[-1].phased or len(self._replies) + len(batch) < len(self._queue)
        return _bit_by_bit(
            spell(), lambda: self._inner(second_half[0]) if second_half else self._go_on(), whole=more
        )

    def _inner(self, plan: Plan) -> Plan:
        """Return the second half of a command of the queue."""

        def finish(results: Sequence[Result]) -> Made:
            reply = self._client.told(plan, results)
            if isinstance(reply, Plan):
                return self._inner(reply)
            self._replies.append(_whole(reply))
            return self._go_on()

        steps = tuple(plan.steps)
        for step in steps:  # as above: what it changes it need not watch any more
            self._watched.pop(step.key, None)
        whole = plan.walk is None  # else it looks at all keys
        return attrs.evolve(plan, steps=steps, finish=finish, phased=True, mixed=True, whole=whole)


COMMANDS: Final = (
    Command(b"multi", 1, CONTROL | FAST | NO_KEYS, multi),
    Command(b"exec", 1, CONTROL | NO_KEYS, exec_),
    Command(b"discard", 1, CONTROL | FAST | NO_KEYS, discard),
    Command(b"watch", -2, CONTROL | FAST, watch, last=-1),
    Command(b"unwatch", 1, FAST | NO_KEYS, unwatch),
)
