"""One screen with all that goes on at a node: the cluster, who asks most, who holds locks, what had to wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from memrep.status.client_facts import ClientsStatus
from memrep.status.client_rates import HostRate
from memrep.status.client_table import hosts
from memrep.status.facts import Status
from memrep.status.lock_facts import LocksStatus
from memrep.status.lock_list import lock_lines
from memrep.status.slow_facts import SlowListStatus
from memrep.status.slow_list import slow_lines
from memrep.status.table import render

#: So many lines of each; the rest is counted.
_LINES: Final = 5

#: What waited longer ago than this, s, does not go on.
_RECENT_S: Final = 60.0


def screen(
    status: Status, rates: Sequence[HostRate], clients: ClientsStatus, locks: LocksStatus, slow: SlowListStatus
) -> str:
    """Return the screen.

    Args:
        status: the cluster as the asked node sees it.
        rates: what hosts ask of that node, the most first.
        clients: its clients.
        locks: those that are held, the oldest first.
        slow: what has waited for long at that node, the latest first.
    """
    recent = [command for command in slow.commands if command.ago_s <= _RECENT_S]
    waited = slow_lines(replace(slow, commands=recent[:_LINES]))
    if len(recent) > _LINES:
        waited += f"\nand {len(recent) - _LINES} more within a minute"
    parts = [
        render(status),
        hosts(rates[:_LINES], clients),
        lock_lines(replace(locks, locks=locks.locks[:_LINES])),
        waited,
    ]
    return "\n\n".join(part.rstrip() for part in parts)
