"""Commands that waited for long, as a table, the latest first."""

from __future__ import annotations

from typing import Final

from memrep.status.columns import LINES_MAX, left_out, lined_up
from memrep.status.slow_facts import SlowListStatus, SlowStatus
from memrep.status.words import UNKNOWN, count, duration, listed, plain, shortened

_NAMES: Final = ("AGO", "WAITED", "CLIENT", "COMMAND", "KEY", "FOR")
_WORDS: Final = {"CLIENT", "COMMAND", "KEY", "FOR"}

#: As much of an address as there is room for, and of what is waited for.
_HOST_MAX: Final = 15
_FOR_MAX: Final = 24


def slow_lines(told: SlowListStatus) -> str:
    """Return how many there are, and a line for each of the first."""
    limit = f"{told.limit_s:g} s"
    total = len(told.commands)
    head = f"{count(total)} command{'s' * (total != 1)} waited for {limit} or longer at {plain(told.node)}"
    shown = told.commands[:LINES_MAX]
    table = lined_up(_NAMES, [_row(command) for command in shown], _WORDS) if shown else []
    return "\n".join([head, *table, *left_out(total - len(shown))])


def _row(command: SlowStatus) -> tuple[str, ...]:
    nodes = f" {listed([plain(node) for node in command.nodes], 2)}" if command.nodes else ""
    return (
        duration(command.ago_s),
        f"{command.waited_s:.2f} s",
        shortened(plain(command.host), _HOST_MAX) or "(unix)",
        plain(command.command) or UNKNOWN,
        plain(command.key) or UNKNOWN,
        shortened(("" if command.answered else "closed, ") + plain(command.waited_for) + nodes, _FOR_MAX),
    )
