"""What a command is going to do, before it is done: one step on each key, and what to say of their results.

A handler (strings.py and its neighbours) touches nothing. It says which keys its command reads or changes, each
by a pure function from the entry that is there to a result or to a new entry (engine/operations.py), and how
the results are spelled. So one thing executes all commands, alone or behind MULTI, at once or when the cluster
has acknowledged; and what a transaction does to one key becomes one function, which the cluster commits as a
whole.

Where a command's second half depends on its first, what tells the results gives another plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Union

import attrs
import msgspec

from memrep.engine.operations import Decision, Operation, Result
from memrep.storage.entry import Entry

#: The length of what stores nothing.
NOTHING: Final = -1


class Step(msgspec.Struct, frozen=True):
    """What happens to one key. A command may have very many, and msgspec makes one in a tenth of the time.

    Attributes:
        key: its stored name.
        decide: what becomes of its entry.
        length: how many bytes that may store; NOTHING if it only reads or deletes.
        count: told the result when it is known, for the statistics.
    """

    key: bytes
    decide: Operation
    length: int = NOTHING
    count: Callable[[Result], None] | None = None


#: What a command makes: its reply, whole or piece by piece, or what has to be done before.
Made = Union[bytes, "Plan", Iterator[bytes]]


@attrs.frozen
class Plan:
    """What a command does.

    Attributes:
        steps: what happens to each key; gone through once.
        finish: spells their results, which stand in the same order, whole or piece by piece, or goes on; None
            if the one result there is spelled already. It may refuse to go on (CommandError), as a handler may
            refuse to begin.
        phased: whether it may go on, or what stands behind it must not be done beside it.
        mixed: whether it tells by itself which of its steps found no memory.
        whole: whether it must be done in one moment, together with what stands before and behind it.
        walk: what is said piece by piece, the one result; then there are no steps.
    """

    steps: Iterable[Step]
    finish: Callable[[Sequence[Result]], Made] | None = None
    phased: bool = False
    mixed: bool = False
    whole: bool = False
    walk: Iterator[bytes] | None = None


def read(entry: Entry | None) -> Decision:
    """Show what is there."""
    return entry


def one(step: Step, spell: Callable[[Result], bytes]) -> Plan:
    """Make a plan of one step, whose result is spelled so."""
    return Plan((step,), lambda results: spell(results[0]))


def each(steps: Iterable[Step], spell: Callable[[Sequence[Result]], bytes | Iterator[bytes]]) -> Plan:
    """Make a plan of several steps, whose results are spelled so."""
    return Plan(steps, spell)
