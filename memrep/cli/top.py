"""`memrep top`: all that goes on at a node, on one screen that is painted anew each second."""

from __future__ import annotations

import sys
from typing import Final

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError, Where
from memrep.cli.values import Seconds
from memrep.daemon.last_words import say
from memrep.errors import UsageError
from memrep.status.client_facts import ClientsStatus
from memrep.status.client_rates import host_rates
from memrep.status.lock_facts import LocksStatus
from memrep.status.screen import screen
from memrep.status.slow_facts import SlowListStatus

_WELL: Final = 0
_NOBODY: Final = 3

#: To the upper left corner, and nothing below it.
_CLEAR: Final = "\x1b[H\x1b[2J"


@click.command("top")
@click.option("--once", is_flag=True, help="Show it once, and end.")
@click.option("--keys", is_flag=True, help="Show sessions' keys: who knows one has the session.")
@click.option(
    "--seconds", type=Seconds(0.1, 60), default=1.0, show_default=True, metavar="S",
    help="For how long to look each time.",
)  # fmt: skip
@asking.options
def top_command(
    once: bool, keys: bool, seconds: float, admin: str | None, url: str | None, config: str | None
) -> int:
    """Show all that goes on at a node, anew each second.

    The cluster with what is wrong, the hosts that ask this node most, the locks that have been held longest,
    and what had to wait within the last minute: the first lines of `memrep status`, `memrep clients`, `memrep
    locks` and `memrep slow`, which tell more. Ctrl-C ends it.

    \b
    Examples:
      memrep top                         while visitors complain
      memrep top --once --seconds 5      for a report

    Exit status: 0, 2 for a mistake in the command, 3 if nobody answers.
    """
    if url:
        raise UsageError("--url tells of no clients and locks; ask on that machine, by its admin socket")
    place = asking.where(admin, url, config)
    clear = _CLEAR if sys.stdout.isatty() and not once else ""
    try:
        while True:
            before, now = asking.twice(place, "GET /clients", _clients, seconds)
            click.echo(clear + _screen(place, before, now, keys))
            if once:
                return _WELL
    except NoAnswerError as error:
        say(f"memrep: {error}")
        return _NOBODY


def _clients(body: bytes) -> ClientsStatus:
    return msgspec.json.decode(body, type=ClientsStatus)


def _screen(place: Where, before: ClientsStatus, now: ClientsStatus, keys: bool) -> str:
    if before.node != now.node:
        before = now  # the first one has ended, and another one answers
    return screen(
        asking.ask(place).status,
        host_rates(before, now),
        now,
        asking.fetch(place, f"GET /locks?keys={keys:d}", lambda b: msgspec.json.decode(b, type=LocksStatus)),
        asking.fetch(place, f"GET /slow?keys={keys:d}", lambda b: msgspec.json.decode(b, type=SlowListStatus)),
    )
