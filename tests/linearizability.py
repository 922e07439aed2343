"""Is a history of one key linearizable? A small search after Wing and Gong (1993) and Lowe (2017).

Every operation has an invocation and, unless the client never learned the outcome, a return. The history is
linearizable if each operation can be given one instant between the two at which it took effect, so that every
answer is right. An operation without an answer may have taken effect at any time after its invocation, or not
at all.

The search walks over the events in order and keeps every configuration that is still possible: the key's
state, and which of the open operations have taken effect. When one returns, only configurations survive in
which it has taken effect with the answer it gave, after as many other open ones as may have gone before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import attrs

#: The state of a key: its value, None if there is none.
State = bytes | None

#: Given the state before, the state after; or `IMPOSSIBLE` if the answer cannot be.
Step = Callable[[State], "State | Impossible"]


class Impossible:
    """The answer does not fit the state."""


IMPOSSIBLE = Impossible()

#: Give up above this many configurations; the caller says so rather than calling it a pass.
CONFIGURATIONS_MAX = 20_000


class Undecided(Exception):
    """Too many configurations: nothing is known of this history."""


@attrs.frozen
class Operation:
    """One command of a history.

    Attributes:
        begin: when the client sent it.
        end: when the answer came; infinity if it never did.
        step: what it does to the state, given its answer.
        text: for the report of a failure.
    """

    begin: float
    end: float
    step: Step
    text: str


Configuration = tuple[State, frozenset[int]]


def explain(operations: Iterable[Operation], initial: State = None) -> str | None:
    """None if the history is linearizable, else the operation at which it stops being so.

    Raises:
        Undecided: the search became too large.
    """
    history = list(operations)
    events = sorted(
        [(op.begin, 0, i) for i, op in enumerate(history)]
        + [(op.end, 1, i) for i, op in enumerate(history) if op.end != math.inf]
    )
    configurations: set[Configuration] = {(initial, frozenset())}
    open_: set[int] = set()
    for _, is_return, i in events:
        if not is_return:
            open_.add(i)
            continue
        configurations = _returned(configurations, i, open_, history)
        open_.discard(i)
        if not configurations:
            return history[i].text
    return None


def _returned(
    configurations: set[Configuration], i: int, open_: set[int], history: list[Operation]
) -> set[Configuration]:
    """The configurations in which operation `i` has taken effect, reached from these."""
    survivors: set[Configuration] = set()
    seen = set(configurations)
    todo = list(configurations)
    while todo:
        state, done = todo.pop()
        if i in done:
            survivors.add((state, done - {i}))
            continue
        for j in open_:
            if j in done:
                continue
            after = history[j].step(state)
            if isinstance(after, Impossible):
                continue
            configuration = (after, done | {j})
            if configuration not in seen:
                seen.add(configuration)
                todo.append(configuration)
        if len(seen) > CONFIGURATIONS_MAX:
            raise Undecided
    return survivors
