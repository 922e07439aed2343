"""What a node tells as JSON, shown as a table or as it is: for all commands that do no more than that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError, Where
from memrep.daemon.last_words import say

_WELL: Final = 0
_NOBODY: Final = 3

_Told = TypeVar("_Told", bound=msgspec.Struct)


def show(place: Where, target: str, kind: type[_Told], lines: Callable[[_Told], str], form: str) -> int:
    """Ask for this, and show the answer; return the exit status.

    Args:
        place: whom to ask.
        target: what is asked for.
        kind: what the answer is.
        lines: makes a table of it.
        form: "json" for the answer as it is.
    """

    def read(body: bytes) -> tuple[_Told, bytes]:
        return msgspec.json.decode(body, type=kind), body

    try:
        told, body = asking.fetch(place, f"GET {target}", read)
    except NoAnswerError as error:
        say(f"memrep: {error}")
        return _NOBODY
    click.echo(msgspec.json.format(body, indent=2).decode() if form == "json" else lines(told))
    return _WELL
