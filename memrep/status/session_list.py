"""Sessions that were looked for, as a table, and what came of ending some, in words."""

from __future__ import annotations

from typing import Final

from memrep.status.columns import LINES_MAX, left_out, lined_up
from memrep.status.session_facts import KilledStatus, SessionsStatus
from memrep.status.words import bytes_in_words, count, duration, listed, plain

_NAMES: Final = ("WRITTEN", "READ", "ENDS IN", "SIZE", "LOCKED", "KEY")
_WORDS: Final = {"LOCKED", "KEY"}


def totals(told: SessionsStatus) -> str:
    """Return how many there are, and how large."""
    return (
        f"{count(told.total)} item{'s' * (told.total != 1)}, {bytes_in_words(told.size)}, at {plain(told.node)}"
    )


def session_lines(told: SessionsStatus) -> str:
    """Return how many there are, and a line for each of the first; keys stand last, however long they are."""
    shown = told.sessions[:LINES_MAX]
    rows = [
        (
            duration(one.age_s),
            duration(one.unread_s),
            duration(one.left_s),
            bytes_in_words(one.size),
            "yes" if one.locked else "",
            plain(one.key),
        )
        for one in shown
    ]
    table = lined_up(_NAMES, rows, _WORDS) if rows else []
    return "\n".join([totals(told), *table, *left_out(told.total - len(shown))])


def killed_lines(killed: KilledStatus) -> str:
    """Return what came of ending some."""
    lines = [f"ended {count(killed.ended)}"]
    if killed.locked:
        lines.append(
            f"{count(killed.locked)} were locked: a page at work may write its session again, so look again"
        )
    if killed.missing:
        lines.append(f"there is no {listed([plain(name) for name in killed.missing])}")
    if killed.left:
        lines.append(
            f"{count(killed.left)} may be left: {plain(killed.node)} does not serve now; ask another node"
        )
    return "\n".join(lines)
