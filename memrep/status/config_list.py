"""The options of a node as a table, and what a restart would make of them."""

from __future__ import annotations

from typing import Final

from memrep.status.columns import lined_up
from memrep.status.config_facts import ConfigDiffStatus, ConfigStatus, DifferenceStatus
from memrep.status.words import UNKNOWN, count, plain

_NAMES: Final = ("OPTION", "FROM", "VALUE")
_DIFFERENCES: Final = ("OPTION", "NOW", "THEN", "FROM", "TO CHANGE IT")

_BY_RELOAD: Final = "`memrep reload`"


def config_lines(told: ConfigStatus) -> str:
    """Return all options, one a line, the value last, for it may be long."""
    whose = f"options of {plain(told.node) or 'a node'}"
    state = "as they are now" if told.running else "as a start would have them: no node runs here"
    rows = [(option.name, option.origin, plain(option.value) or UNKNOWN) for option in told.options]
    table = lined_up(_NAMES, rows, set(_NAMES)) if rows else []
    return "\n".join([f"{whose}, {state}; {_file(told.file)}", *table, *_refused("a start", told.refused)])


def difference_lines(told: ConfigDiffStatus) -> str:
    """Return each option that a restart would change, and what changes it."""
    number = len(told.differences)
    if number:
        would = f"a restart would change {count(number)} option{'s' * (number != 1)}"
    else:
        would = "no difference can be told" if told.refused else "a restart would change nothing"
    table = lined_up(_DIFFERENCES, [_row(one) for one in told.differences], set(_DIFFERENCES)) if number else []
    head = f"{would} at {plain(told.node)}; {_file(told.file)}"
    return "\n".join([head, *table, *_refused("a restart", told.refused)])


def _file(path: str) -> str:
    return f"file {plain(path)}" if path else "no file"


def _row(one: DifferenceStatus) -> tuple[str, ...]:
    then = plain(one.restart) or UNKNOWN
    if one.restart == one.running:
        then += " (changed)"
    return one.name, plain(one.running) or UNKNOWN, then, one.origin, one.needs or _BY_RELOAD


def _refused(what: str, why: str) -> list[str]:
    return [f"{what} would fail: {plain(why)}"] if why else []
