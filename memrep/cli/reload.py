"""`memrep reload`: the node that runs here reads its options anew; what has come of it is told."""

from __future__ import annotations

from typing import Final

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError
from memrep.daemon.last_words import say
from memrep.status.reloads import Reloaded

_WELL: Final = 0
_REFUSED: Final = 1
_NOBODY: Final = 3

#: How long reading may take, s: files may lie on a slow disk.
_PATIENCE_S: Final = 30.0


@click.command("reload")
@asking.options
def reload_command(admin: str | None, url: str | None, config: str | None) -> int:
    """Let this node read its options anew, while it runs.

    It reads its config file and the files that it names: certificate, key and authorities of TLS, passwords,
    secret. All of it is taken, or nothing; docs/operating.md says what can be changed like this. Clients that
    are connected notice nothing. SIGHUP does the same, and the log says what has come of it.

    \b
    Examples:
      memrep reload               after a change of /etc/memrep/memrep.toml

    Exit status: 0, 1 if something is refused, 2 for a mistake in the command, 3 if nobody answers.
    """
    place = asking.where(admin, url, config)
    try:
        outcome = asking.fetch(place, "POST /reload", _read, timeout_s=_PATIENCE_S)
    except NoAnswerError as error:
        say(f"memrep: {error}")
        return _NOBODY
    for reason in outcome.refused:
        say(f"memrep: refused: {reason}")
    if outcome.refused:
        say("memrep: nothing is taken; the node goes on as it was")
        return _REFUSED
    click.echo("taken: " + (" ".join(outcome.changed) or "nothing has changed"))
    return _WELL


def _read(body: bytes) -> Reloaded:
    return msgspec.json.decode(body, type=Reloaded)
