"""Kinds of values that options have, beside click's own."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import click

_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Seconds(click.FloatRange):
    """A number of seconds within bounds; nan, which no bound keeps out, is none."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return number


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes, with k, m or g behind it if wanted (as memcached's -I)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the size in bytes."""
        found = re.fullmatch(r"(\d+)([kmg]?)", str(value).lower())
        if found is None:
            self.fail(f"{value!r} is no size; write 512k or 2m", param, ctx)
        return int(found[1]) * _UNITS[found[2]]
