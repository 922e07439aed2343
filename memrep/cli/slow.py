"""`memrep slow`: which commands waited for long, and for what."""

from __future__ import annotations

import click

from memrep.cli import asking
from memrep.cli.listing import show
from memrep.status.slow_facts import SlowListStatus
from memrep.status.slow_list import slow_lines


@click.command("slow")
@click.option("--keys", is_flag=True, help="Show keys: who knows a session's has the session.")
@click.option(
    "-w", "--write-out", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="How to show it: the last 20 as a table, or all as the node's own JSON.",
)  # fmt: skip
@asking.options
def slow_command(keys: bool, form: str, admin: str | None, url: str | None, config: str | None) -> int:
    """Show which commands waited for long, and for what.

    A node remembers the last 128 that have waited for longer than --slow-log tells, 0.1 s as a rule.

    \b
    peers  other nodes had not acknowledged the write; see LAG in `memrep status`
    view   this node might not serve, for another one had died or fallen silent
    room   too much was on its way, or not read by clients
    lock   PHP took a lock, and had not said yet what it reads

    "closed": its client was hung up on, or went, before it was answered. KEY is a hash, the same as in `memrep
    locks`. That PHP waits for another page's lock is not here: `memrep locks` shows that.

    Exit status: 0, 2 for a mistake in the command, 3 if nobody answers.
    """
    return show(asking.where(admin, url, config), f"/slow?keys={keys:d}", SlowListStatus, slow_lines, form)
