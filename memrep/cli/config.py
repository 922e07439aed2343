"""`memrep config`: the options of the node that runs here, and what a restart would make of them.

The node itself tells both: it alone has its command line, its environment and the rights to read its files.
Where none runs the options of a start are looked at here, for which the declarations of `memrep serve` are
loaded.
"""

from __future__ import annotations

from typing import Final, TypeVar

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError
from memrep.daemon.last_words import say
from memrep.errors import UsageError
from memrep.status.config_facts import ConfigDiffStatus, ConfigStatus
from memrep.status.config_list import config_lines, difference_lines

_WELL: Final = 0
_DIFFERS: Final = 1
_NOBODY: Final = 3

#: How long reading may take, s: files may lie on a slow disk, and names be looked up.
_PATIENCE_S: Final = 30.0

_Told = TypeVar("_Told", bound=msgspec.Struct)


@click.command("config")
@click.option(
    "--effective", is_flag=True, help="Show all options as they are now. This is done if nothing is asked for."
)
@click.option(
    "--diff", is_flag=True, help="Show only what a restart would change now, and what it takes to change it."
)
@click.option(
    "-w", "--write-out", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="How to show it: as a table, or as the node's own JSON.",
)  # fmt: skip
@asking.options
def config_command(
    effective: bool, diff: bool, form: str, admin: str | None, url: str | None, config: str | None
) -> int:
    """Show the options of this node, or what a restart would change.

    An option can stand on the command line, in the environment (MEMREP_MEMORY, ...) and in the config file, and
    the first of these counts. FROM tells which one it was, so who has changed the file in vain sees why. What
    nobody has given is shown as the node has found it. Of files that hold passwords, keys or secrets the names
    are shown, and never what stands in them.

    With --diff the node reads all of it anew, as a restart would, and takes nothing. What `memrep reload` takes
    is told apart from what needs a restart. What has been changed in the unit of systemd it cannot know.

    If no node runs here, that is said, and what a start would have with --config and this environment is shown.

    \b
    Examples:
      memrep config                          every option, and where it comes from
      memrep config --diff                   after a change of memrep.toml, before `memrep reload`
      memrep config --diff || echo not yet   for scripts: is there anything that a restart would change?
      memrep config -w json | jq -r '.options[] | select(.origin == "file") | .name'
      memrep config --config memrep.toml     before the first start

    Exit status: 0; 1 if a restart would change something, or fail (with --diff); 2 for a mistake in the
    command; 3 if no node answers.
    """
    if effective and diff:
        raise UsageError("--effective shows all options and --diff what differs; leave one of them out")
    place = asking.where(admin, url, config)
    try:
        if not diff:
            told, body = asking.fetch(place, "GET /config", lambda body: _read(body, ConfigStatus))
            _show(config_lines(told), body, form)
            return _WELL
        compared, body = asking.fetch(
            place, "GET /config/diff", lambda body: _read(body, ConfigDiffStatus), timeout_s=_PATIENCE_S
        )
    except NoAnswerError as error:
        say(f"memrep: {error}")
        if not url:
            start = _start(config)
            _show(config_lines(start), msgspec.json.encode(start), form)
        return _NOBODY
    _show(difference_lines(compared), body, form)
    return _DIFFERS if compared.differences or compared.refused else _WELL


def _read(body: bytes, kind: type[_Told]) -> tuple[_Told, bytes]:
    return msgspec.json.decode(body, type=kind), body


def _show(lines: str, body: bytes, form: str) -> None:
    click.echo(msgspec.json.format(body, indent=2).decode() if form == "json" else lines)


def _start(config: str | None) -> ConfigStatus:
    """Return what a start would have here."""
    from memrep.cli.start import start_of  # noqa: PLC0415 (it loads a node, which takes longer than to ask one)

    return start_of(config)
