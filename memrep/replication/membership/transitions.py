"""Which states follow which, as tables: asserted at each change, drawn by tools/draw-states into the docs.

A state here is never stored. It is what the fields come to, so there is no second truth; and whoever changes
the fields in an order that nobody thought of is told so at once, in the simulator first of all. The form is
h11's, whose whole state machine is one file of tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

State = TypeVar("State", bound=Enum)

#: By event: the states in which it may come, each with those that it may lead to.
Table = Mapping[str, Mapping[State, frozenset[State]]]


def check(table: Table[State], event: str, before: State, after: State) -> None:
    """Check that an event may lead from one state to another.

    Raises:
        AssertionError: it may not.
    """
    assert after in table[event].get(before, ()), f"{event} led from {before.name} to {after.name}"


def mermaid(table: Table[State], first: State) -> str:
    """Return the table as a diagram for Mermaid, one arrow for all that leads from one state to another."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for event, edges in table.items():
        for before, afters in edges.items():
            for after in afters - {before}:
                arrows.setdefault((before.value, after.value), []).append(event)
    lines = ["stateDiagram-v2", f"    [*] --> {first.value}"]
    for (source, target), events in sorted(arrows.items()):
        lines.append(f"    {source} --> {target}: {', '.join(events)}")
    return "\n".join(lines)
