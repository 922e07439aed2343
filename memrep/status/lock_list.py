"""The locks that PHP holds, as a table: the one that has been held longest first."""

from __future__ import annotations

from typing import Final

from memrep.status.columns import LINES_MAX, left_out, lined_up
from memrep.status.lock_facts import LocksStatus, LockStatus
from memrep.status.words import UNKNOWN, count, duration, plain, shortened

#: As much of an address as there is room for. A key is shown as a whole: half of one is of no use.
_NODE_MAX: Final = 17
_HOLDER_MAX: Final = 19

_NAMES: Final = ("SESSION", "HELD", "ENDS IN", "WAIT", "NODE", "HOLDER", "")
_WORDS: Final = {"SESSION", "NODE", "HOLDER", ""}


def lock_lines(told: LocksStatus) -> str:
    """Return how many there are, and a line for each of the first."""
    some = f"{count(told.total)} lock{'s' * (told.total != 1)} held"
    head = f"{some}, {count(told.waiting)} wait at {plain(told.node)}"
    shown = told.locks[:LINES_MAX]
    if not shown:
        return head
    return "\n".join(
        [head, *lined_up(_NAMES, [_row(lock) for lock in shown], _WORDS), *left_out(told.total - len(shown))]
    )


def _row(lock: LockStatus) -> tuple[str, ...]:
    return (
        plain(lock.session),
        duration(lock.age_s),
        duration(lock.left_s),
        count(lock.waiting),
        shortened(plain(lock.node), _NODE_MAX) or "nobody's",
        shortened(plain(lock.holder), _HOLDER_MAX) or UNKNOWN,
        "in doubt" if lock.in_doubt else "perhaps" if lock.maybe else "",
    )
