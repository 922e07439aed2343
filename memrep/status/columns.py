"""Tables of a few columns: words to the left, figures to the right, and no more lines than one reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

#: Lines that are shown; what stands further down is left out.
LINES_MAX: Final = 20


def lined_up(names: Sequence[str], rows: Sequence[Sequence[str]], words: Collection[str]) -> list[str]:
    """Return the lines of a table.

    Args:
        names: the headings.
        rows: what stands below them.
        words: the headings of those columns that hold words.
    """
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return [
        " ".join(
            cell.ljust(width) if name in words else cell.rjust(width)
            for cell, width, name in zip(row, widths, names, strict=True)
        ).rstrip()
        for row in (names, *rows)
    ]


def left_out(number: int) -> list[str]:
    """Say in a line that so many are not shown, if there are any."""
    return [f"and {number:,} more; -w json has all"] if number > 0 else []
