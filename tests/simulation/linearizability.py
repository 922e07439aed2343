"""Is a history of one key linearizable? A search after Wing and Gong (1993) and Lowe (2017), but backwards.

Every operation has an invocation and, unless the client never learned the outcome, a return. The history is
linearizable if each operation can be given one instant between the two at which it took effect, so that every
answer is right. An operation without an answer may have taken effect at any time after its invocation, or not
at all.

It is those that make a search explode: they stay open for ever, and looking forward nobody knows what they will
have been good for. Looking back it is plain. So the search begins at the end and finds for each operation its
place among the later ones. A configuration is the set of states in which the key must have been for all that
was placed to come out right, and which of the open operations were placed. An operation placed before it turns
that set into another one: the states from which it leads there (Dijkstra's weakest precondition). Then:

- An operation is placed only when it must be, at its invocation, together with those that come after it.
- One that changes nothing, and is right in every state of the set, is placed at once: waiting gains nothing.
- One without an answer is placed only if new states come into the set; from its invocation on it is forgotten.
- Of those without an answer that mean the same, the one sent last goes first, as the next to be forgotten. And
  they mean the same too if they differ in a written value that nobody asks for or shows.
- If one write alone can explain a value that an answer shows, then it came before that answer.
- If a configuration has used more of the operations without an answer than one like it, it is dropped.

None of this is a guess: a history passes if there is a place for everything, and fails if there is none.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator

import attrs

#: The state of a key: its value, None if there is none.
State = bytes | None

#: What a value has in common with all that `Changes` make of it, and with no other value.
Family = Callable[[bytes], Hashable]

#: Give up after this many configurations; the caller says so rather than calling it a pass.
CONFIGURATIONS_MAX = 500_000


class Undecided(Exception):
    """Too many configurations, or an answer that says more than `States` can: nothing is known."""


@attrs.frozen(cache_hash=True)
class States:
    """A set of states: those that are named, or all others."""

    named: frozenset[State]
    others: bool = False

    def __bool__(self) -> bool:
        return self.others or bool(self.named)

    def __contains__(self, state: State) -> bool:
        return (state in self.named) != self.others

    def __and__(self, other: States) -> States:
        if self.others and other.others:
            return States(self.named | other.named, others=True)
        if self.others:
            return States(other.named - self.named)
        return States(self.named - other.named if other.others else self.named & other.named)

    def __le__(self, other: States) -> bool:
        if self.others:
            return other.others and other.named <= self.named
        return all(state in other for state in self.named)


def only(state: State) -> States:
    """This state."""
    return States(frozenset([state]))


def but(*states: State) -> States:
    """Every state but these."""
    return States(frozenset(states), others=True)


ANY = but()
MISSING = only(None)
PRESENT = but(None)
NONE = States(frozenset())


@attrs.frozen(cache_hash=True)
class Keeps:
    """Needs one of these states and leaves it as it is."""

    needs: States

    def before(self, after: States) -> States:
        """The states from which it leads into `after`."""
        return self.needs & after


@attrs.frozen(cache_hash=True)
class Writes:
    """Needs one of these states and puts another in its place."""

    needs: States
    state: State

    def before(self, after: States) -> States:
        """The states from which it leads into `after`."""
        return self.needs if self.state in after else NONE


@attrs.frozen(cache_hash=True)
class Changes:
    """Needs one of these states and makes a value of it; `undo` tells of which states it makes this one."""

    needs: States
    undo: Callable[[bytes], Iterable[State]]

    def before(self, after: States) -> States:
        """The states from which it leads into `after`."""
        old = frozenset(old for new in after.named if new is not None for old in self.undo(new))
        return self.needs & States(old, after.others)


@attrs.frozen(cache_hash=True)
class InTurn:
    """Does these one after the other, in one moment; see `in_turn`."""

    parts: tuple[Keeps | Writes | Changes, ...]

    def before(self, after: States) -> States:
        """The states from which it leads into `after`."""
        for part in reversed(self.parts):
            after = part.before(after)
        return after

    @property
    def needs(self) -> States:
        """What must be there when it begins; that may be less than all."""
        return self.parts[0].needs


Meaning = Keeps | Writes | Changes | InTurn


def in_turn(parts: Iterable[Keeps | Writes | Changes]) -> Meaning:
    """What these do one after the other, in one moment: one of the simple meanings, where there is one."""
    done: list[Keeps | Writes | Changes] = []
    for part in parts:
        last = done[-1] if done else Keeps(ANY)
        if isinstance(last, Keeps):
            done[-1:] = [attrs.evolve(part, needs=last.needs & part.needs)]
        elif isinstance(last, Writes) and not isinstance(part, Changes):
            needs = last.needs if last.state in part.needs else NONE
            done[-1] = Writes(needs, part.state if isinstance(part, Writes) else last.state)
        else:
            done.append(part)
    return done[0] if len(done) == 1 else InTurn(tuple(done)) if done else Keeps(ANY)


def _named(meaning: Meaning) -> Iterator[State]:
    """All states that it asks for by name."""
    for part in meaning.parts if isinstance(meaning, InTurn) else (meaning,):
        yield from part.needs.named


@attrs.frozen
class Operation:
    """One command of a history.

    Attributes:
        begin: when the client sent it.
        end: when the answer came; infinity if it never did.
        reply: the answer; None if it never came.
        meaning: what it did, given its answer. Given none: what it does if it changes anything; None if it
            never does.
        text: for the report of a failure.
    """

    begin: float
    end: float
    reply: bytes | None
    meaning: Callable[[bytes | None], Meaning | None]
    text: str


def explain(
    operations: Iterable[Operation], initial: State = None, family: Family = lambda value: None
) -> str | None:
    """None if the history is linearizable, else the operation at which it stops being so.

    Raises:
        Undecided: the search became too large.
    """
    history = sorted(operations, key=lambda op: op.begin)
    if _Search(_known(history, math.inf, initial, family)).succeeds(initial):
        return None

    def is_wrong(moment: float) -> bool:
        try:
            return not _Search(_known(history, moment, initial, family)).succeeds(initial)
        except Undecided:
            return False

    answered = sorted((op for op in history if op.end != math.inf), key=lambda op: op.end)
    return answered[bisect.bisect_left(answered[:-1], True, key=lambda op: is_wrong(op.end))].text


@attrs.frozen
class _Known:
    """What is known of an operation at some moment.

    Attributes:
        begin: when it was sent.
        end: when it had happened; infinity if perhaps it never did.
        meaning: what it did.
        earlier: it came before all of these: a set of bits, one for each operation's place in the history.
    """

    begin: float
    end: float
    meaning: Meaning
    earlier: int = 0


def _known(history: list[Operation], moment: float, initial: State, family: Family) -> list[_Known]:
    """What is known at this moment, by answers and by what they tell of operations without one."""
    known = list(_answers(history, moment))
    states = [initial, *(op.meaning.state for op in known if isinstance(op.meaning, Writes))]
    writers = Counter(family(state) for state in states if state is not None)
    named: set[Hashable] = set()
    shown: dict[Hashable, list[int]] = defaultdict(list)
    for i, op in enumerate(known):
        needs = op.meaning.needs
        families = {family(state) for state in needs.named if state is not None}
        named |= families | {family(state) for state in _named(op.meaning) if state is not None}
        if op.end != math.inf and len(needs.named) == 1 and not needs.others:
            for one in families:
                shown[one].append(i)
    for i, op in enumerate(known):
        if isinstance(op.meaning, Writes) and op.meaning.state is not None:
            written = family(op.meaning.state)
            if op.end == math.inf and written not in named:
                known[i] = attrs.evolve(op, meaning=Writes(op.meaning.needs, _UNNAMED))
            elif writers[written] == 1:
                end = min([op.end, *(known[j].end for j in shown[written])])
                known[i] = attrs.evolve(op, end=end, earlier=sum(1 << j for j in shown[written]))
    return known


#: Stands for every value that nobody asks for or shows.
_UNNAMED = b"(unnamed)"


def _answers(history: list[Operation], moment: float) -> Iterator[_Known]:
    """What is known at this moment by answers, of the operations that may matter."""
    for op in history:
        if op.begin <= moment:
            is_over = op.end <= moment and op.reply is not None
            meaning = op.meaning(op.reply if is_over else None)
            if meaning is not None:
                yield _Known(op.begin, op.end if is_over else math.inf, meaning)


#: The states, and the set of bits of those open operations that were placed.
_Configuration = tuple[States, int]


class _Frontier:
    """Configurations, without those that differ from another one only in having used more of the unanswered."""

    def __init__(self, unanswered: int) -> None:
        self._unanswered = unanswered
        self._used: dict[_Configuration, list[int]] = defaultdict(list)

    def add(self, states: States, placed: int) -> bool:
        """Take it, unless one is here that is as good."""
        used = placed & self._unanswered
        others = self._used[states, placed ^ used]
        if any(other & used == other for other in others):
            return False
        others[:] = [other for other in others if other & used != used]
        others.append(used)
        return True

    def __iter__(self) -> Iterator[_Configuration]:
        for (states, answered), several in self._used.items():
            for used in several:
                yield states, answered | used


@attrs.frozen
class _Moves:
    """What can be placed before some states: at once; of the answered ones; of the unanswered, by meaning."""

    at_once: int
    answered: list[tuple[int, States]]
    unanswered: list[tuple[list[int], States]]


class _Search:
    """The search through one history, whose operations are in the order in which they began."""

    def __init__(self, history: list[_Known]) -> None:
        self._history = history
        self._open: list[int] = []
        self._unanswered: dict[Meaning, list[int]] = defaultdict(list)
        for i, op in enumerate(history):
            if op.end == math.inf:
                self._unanswered[op.meaning].append(i)
        self._all_unanswered = sum(1 << i for alike in self._unanswered.values() for i in alike)
        self._before = functools.cache(lambda i, after: history[i].meaning.before(after))
        self._count = 0

    def succeeds(self, initial: State) -> bool:
        """Whether the history is linearizable."""
        events = [(op.begin, 0, i) for i, op in enumerate(self._history)]
        events += [(op.end, 1, i) for i, op in enumerate(self._history) if op.end != math.inf]
        configurations: Iterable[_Configuration] = [(ANY, 0)]
        for _, is_end, i in sorted(events, reverse=True):
            if is_end:
                self._open.append(i)
            elif self._all_unanswered >> i & 1:
                reached = self._placed(i, configurations)
                for states, placed in configurations:
                    reached.add(states, placed & ~(1 << i))
                configurations = reached
                self._unanswered[self._history[i].meaning].remove(i)
            else:
                configurations = self._placed(i, configurations)
                self._open = [j for j in self._open if j != i]
        return any(initial in states for states, _ in configurations)

    def _placed(self, i: int, configurations: Iterable[_Configuration]) -> _Frontier:
        """The configurations in which operation `i` is placed, reached from these."""
        survivors = _Frontier(self._all_unanswered)
        seen = _Frontier(self._all_unanswered)
        moves = functools.cache(self._moves)
        todo = deque(sorted(configurations, key=lambda one: (one[1] & self._all_unanswered).bit_count()))
        while todo:
            states, placed = todo.popleft()
            move = moves(states)
            placed |= move.at_once
            if placed >> i & 1:
                survivors.add(states, placed ^ 1 << i)
            elif seen.add(states, placed):
                self._count += 1
                if self._count > CONFIGURATIONS_MAX:
                    raise Undecided
                left = (2 << i) - 1 & ~placed
                for j, before in move.answered:
                    if left >> j & 1 and not left & self._history[j].earlier:
                        todo.appendleft((before, placed | 1 << j))
                for alike, before in move.unanswered:
                    for j in reversed(alike):
                        if left >> j & 1:
                            todo.append((before, placed | 1 << j))
                            break
        return survivors

    def _moves(self, states: States) -> _Moves:
        """What can be placed before these states."""
        at_once = 0
        answered, unanswered = [], []
        for i in self._open:
            before = self._before(i, states)
            if before == states and isinstance(self._history[i].meaning, Keeps):
                at_once |= 1 << i
            elif before:
                answered.append((i, before))
        for alike in self._unanswered.values():
            if alike:
                before = self._before(alike[0], states)
                if not before <= states:
                    unanswered.append((alike, before))
        return _Moves(at_once, answered, unanswered)
