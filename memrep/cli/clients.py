"""`memrep clients`: who asks this node how much, by host; and how to get rid of one.

PHP connects anew for each page, so connections say little and hosts say much. What a host asks a second comes
from two answers of the node, as long apart as is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError, Where
from memrep.cli.values import Seconds
from memrep.daemon.last_words import say
from memrep.status.client_facts import ClientsStatus
from memrep.status.client_rates import ORDERS, host_rates
from memrep.status.client_table import each_client, hosts

_WELL: Final = 0
_NONE: Final = 1
_NOBODY: Final = 3


def _read(body: bytes) -> ClientsStatus:
    return msgspec.json.decode(body, type=ClientsStatus)


@click.command("clients")
@click.argument("whom", metavar="[HOST|ADDRESS]...", nargs=-1)
@click.option(
    "--by", "order", type=click.Choice(list(ORDERS)), default="reads", show_default=True,
    help="Who comes first: who sends most often, most bytes, connects most often, has most connections.",
)  # fmt: skip
@click.option("--each", is_flag=True, help="Show each connection, the one that has been quiet longest last.")
@click.option("--kill", is_flag=True, help="Hang up on those that are named.")
@click.option(
    "--seconds", type=Seconds(0.1, 60), default=1.0, show_default=True, metavar="S",
    help="For how long to look.",
)  # fmt: skip
@click.option(
    "-w", "--write-out", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="How to show it: as a table, or as the node's own JSON, whose sums have grown since it started.",
)  # fmt: skip
@asking.options
def clients_command(
    whom: tuple[str, ...],
    order: str,
    each: bool,
    kill: bool,
    seconds: float,
    form: str,
    admin: str | None,
    url: str | None,
    config: str | None,
) -> int:
    """Show who asks this node how much, or hang up on somebody.

    \b
    READS/S     how often something is read of a host, a second: at a site's pace a request each time
    CONNECTS/S  how often it connects

    \b
    Examples:
      memrep clients                      who asks most
      memrep clients --by connects        who connects anew all the time
      memrep clients --each 10.1.1.1      all connections of one host
      memrep clients --kill 10.1.1.1      hang up on all of them; they may come again

    Exit status: 0, 1 if nobody is connected that is named, 2 for a mistake in the command, 3 if nobody answers.
    """
    if kill and not (whom and all(whom)):
        raise click.UsageError("say whom to hang up on: --kill HOST, or --kill ADDRESS")
    place = asking.where(admin, url, config)
    try:
        return _kill(place, whom) if kill else _show(place, set(whom), order, each, seconds, form)
    except NoAnswerError as error:
        say(f"memrep: {error}")
        return _NOBODY


def _kill(place: Where, whom: Iterable[str]) -> int:
    count = 0
    for one in whom:
        count += asking.fetch(
            place, "POST /clients/kill", lambda body: msgspec.json.decode(body, type=int), one
        )
    click.echo(f"hung up on {count}")
    return _WELL if count else _NONE


def _show(place: Where, whom: set[str], order: str, each: bool, seconds: float, form: str) -> int:
    if form == "json":
        body = asking.fetch(place, "GET /clients", lambda body: (_read(body), body)[1])
        click.echo(msgspec.json.format(body, indent=2).decode())
        return _WELL
    if each:
        told = asking.fetch(place, "GET /clients", _read)
        shown = [one for one in told.clients if not whom or whom & {one.host, one.address}]
        click.echo(each_client(shown, told.limit))
        return _WELL if shown or not whom else _NONE
    before, now = asking.twice(place, "GET /clients", _read, seconds)
    if before.node != now.node:
        raise NoAnswerError(f"{before.node} does not answer any more; ask again")
    rates = [rate for rate in host_rates(before, now, order) if not whom or rate.host in whom]
    click.echo(hosts(rates, now))
    return _WELL if rates or not whom else _NONE
