"""Durations, amounts and names as people write them, in as little room as a table has.

What comes in was often said by another machine: no number is too large here, no text can write to a terminal
what is no text, and what makes no sense is "-", as is what nobody knows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

UNKNOWN: Final = "-"

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_DAYS_MAX: Final = 9_999

#: From this count on the smaller one of two units tells nothing any more: "12d".
_SMALLER_UNIT_UNTIL: Final = 10

_KB: Final = 1 << 10
_MB: Final = 1 << 20
_GB: Final = 1 << 30

#: From so many megabytes on amounts are told in gigabytes.
_GB_FROM_MB: Final = 10_000

#: What takes part in arithmetic; more than any machine has.
_NUMBER_MAX: Final = 1 << 62

_CUT: Final = ".."


def duration(seconds: float | None) -> str:
    """Write how long something has lasted: "12 s", "3 min", "5h 12m", "4d 2h"; six characters at most."""
    if seconds is None or not 0 <= seconds < _NUMBER_MAX:  # which nan is not, either
        return UNKNOWN
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return _two(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "m")
    return _two(min(whole // _DAY, _DAYS_MAX), "d", whole % _DAY // _HOUR, "h")


def _two(count: int, unit: str, smaller: int, smaller_unit: str) -> str:
    if not smaller or count >= _SMALLER_UNIT_UNTIL:
        return f"{count}{unit}"
    return f"{count}{unit} {smaller}{smaller_unit}"


def bytes_in_words(amount: int) -> str:
    """Write an amount of memory: "512 KB", "64 MB", "1.5 MB"."""
    unit, name = _unit(amount)
    return f"{_in(amount, unit)} {name}"


def part(used: int, whole: int, joint: str = " of ") -> str:
    """Write how much of an amount is used, both in the unit that suits the whole: "61 of 64 MB"."""
    if whole <= 0:
        return UNKNOWN
    unit, name = _unit(whole)
    return f"{_in(used, unit)}{joint}{_in(whole, unit)} {name}"


def _unit(amount: int) -> tuple[int, str]:
    if amount >= _GB_FROM_MB * _MB:
        return _GB, "GB"
    if amount >= _MB:
        return _MB, "MB"
    return (_KB, "KB") if amount >= _KB else (1, "bytes")


def _in(amount: int, unit: int) -> str:
    """Write an amount in this unit, with one decimal if it is small and that says more."""
    tenths = min(max(amount, 0), _NUMBER_MAX) * 10 // unit
    if tenths < 100 and tenths % 10:
        return f"{tenths // 10}.{tenths % 10}"
    return f"{tenths // 10}"


def percent(used: int, whole: int) -> str:
    """Write how much of an amount is used: "95%"."""
    return f"{min(max(used, 0) * 100 // whole, 999)}%" if whole > 0 else UNKNOWN


def count(number: int, width: int = 32) -> str:
    """Write a number with commas, or rounded down if that is too wide: "100,212", "1.2M"."""
    if number < 0:
        return UNKNOWN
    whole = f"{number:,}" if number < _NUMBER_MAX else ""
    if whole and len(whole) <= width:
        return whole
    for power, unit in enumerate("kMGTPE", start=1):
        tenths = number * 10 // 1000**power
        if tenths < 10_000:
            exact = f"{tenths // 10}.{tenths % 10}{unit}"
            return exact if len(exact) <= width else f"{tenths // 10}{unit}"
    return ">1Z"


def clock(ms: int | None) -> str:
    """Write how far a clock is ahead: "+2ms", "-1.3s"; five characters at most."""
    if ms is None:
        return UNKNOWN
    sign, ms = "-" if ms < 0 else "+", abs(ms)
    if ms < 100:
        return f"{sign}{ms}ms"
    if ms < 10_000:
        return f"{sign}{ms // 1000}.{ms % 1000 // 100}s"
    if ms < 1_000_000:
        return f"{sign}{ms // 1000}s"
    return f"{sign}{min(ms // (_HOUR * 1000), 999)}h"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Write several names as a list: "a", "a and b", "a, b and 3 others"."""
    shown = list(names) if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} others"]
    return " and ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


def plain(text: str) -> str:
    """Return a text in one line, without what would move a terminal's cursor or colour what follows."""
    return "".join(each if each.isprintable() else "?" for each in " ".join(text.split()))


def shortened(text: str, width: int) -> str:
    """Return as much of a text as there is room for, with its end cut off."""
    return text if len(text) <= width else text[: max(width - len(_CUT), 0)] + _CUT[:width]


def shortened_names(names: Sequence[str], width: int) -> list[str]:
    """Return names cut to this width, in the first way that still tells them apart.

    Networks begin alike, and hosts of one network end differently; pods differ in the middle.
    """
    ways = (_without_middle, shortened, _without_beginning)
    several = [[way(name, width) for name in names] for way in ways]
    return next((cut for cut in several if len(set(cut)) == len(set(names))), several[0])


def _without_middle(name: str, width: int) -> str:
    room = width - len(_CUT)
    if len(name) <= width or room < 2:
        return name[:width]
    return f"{name[: room // 2]}{_CUT}{name[len(name) - (room - room // 2) :]}"


def _without_beginning(name: str, width: int) -> str:
    room = width - len(_CUT)
    return name[:width] if len(name) <= width or room < 1 else f"{_CUT}{name[-room:]}"


def wrapped(text: str, width: int, first: str = "", further: str = "") -> list[str]:
    """Return a text as lines that are no wider than that; with what they begin with."""
    return textwrap.wrap(
        plain(text), width, initial_indent=first, subsequent_indent=further, break_on_hyphens=False
    )
