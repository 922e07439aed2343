"""`memrep locks`: which sessions are locked, by whom, and who waits for that."""

from __future__ import annotations

import click

from memrep.cli import asking
from memrep.cli.listing import show
from memrep.status.lock_facts import LocksStatus
from memrep.status.lock_list import lock_lines


@click.command("locks")
@click.option("--keys", is_flag=True, help="Show sessions' keys: who knows one has the session.")
@click.option(
    "-w", "--write-out", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="How to show it: as a table, or as the node's own JSON, which has the first 1,000.",
)  # fmt: skip
@asking.options
def locks_command(keys: bool, form: str, admin: str | None, url: str | None, config: str | None) -> int:
    """Show which sessions are locked, by whom, and who waits.

    PHP locks a session while it works on a request of it. One that is held for long is a page that takes long,
    and each further page of that visitor waits for it.

    \b
    SESSION  a hash of its key, the same on every node; its key with --keys
    HELD     for how long
    ENDS IN  when it ends by itself, if nobody releases it
    WAIT     clients of the asked node that ask for it again and again
    NODE     whose client holds it; "nobody's" if that node has lost its clients
    HOLDER   that client, if it is the asked node's; ask NODE for its own

    "in doubt": its node died in the moment of granting, and it ends within seconds. "perhaps": it looks like a
    lock of php-memcached's, under a prefix that --lock-prefix does not name.

    \b
    Examples:
      memrep locks                      which pages take long
      memrep locks --keys               and of which sessions
      memrep clients --each             what its holder does
      memrep sessions kill SESSION      end the session, and free its lock

    Exit status: 0, 2 for a mistake in the command, 3 if nobody answers.
    """
    return show(asking.where(admin, url, config), f"/locks?keys={keys:d}", LocksStatus, lock_lines, form)
