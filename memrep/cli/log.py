"""`memrep log`: what matters enough to be logged by the node that runs here, shown or set while it runs."""

from __future__ import annotations

from typing import Final

import click

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError
from memrep.daemon.last_words import say
from memrep.events import Level

_NOBODY: Final = 3


@click.command("log")
@click.argument("level", type=click.Choice([level.word for level in Level]), required=False)
@asking.options
def log_command(level: str | None, admin: str | None, url: str | None, config: str | None) -> int:
    """Show or set what this node logs, while it runs.

    What matters less than LEVEL is not logged, until the node is told otherwise or ends. debug tells of each
    client that comes and goes; warning is what wants a person.

    \b
    Examples:
      memrep log                  which level it is
      memrep log debug            tell more, for a while
      memrep log info

    Exit status: 0, 2 for a mistake in the command, 3 if nobody answers.
    """
    place, request = asking.where(admin, url, config), "POST /log" if level else "GET /log"
    try:
        click.echo(asking.fetch(place, request, bytes.decode, body=level or ""), nl=False)
    except NoAnswerError as error:
        say(f"memrep: {error}")
        return _NOBODY
    return 0
