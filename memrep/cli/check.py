"""`memrep check`: a plugin of Nagios, Icinga and all that run those; a probe for scripts.

Rule: exit status 2 means that users are in trouble, so no mistake in the command and no failure of its own may
end in it. Those are 3, "unknown", and told on standard output like everything else, for that is what is read.
"""

from __future__ import annotations

from typing import Any, Final

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError
from memrep.cli.values import Seconds
from memrep.daemon.guard import in_words
from memrep.errors import UsageError
from memrep.status.checks import CHECKS, report
from memrep.status.findings import Report
from memrep.status.safe_to_stop import SAFE_TO_STOP

_UNKNOWN: Final = 3


class Plugin(click.Command):
    """A command whose own mistakes are "unknown"."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the arguments."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.ClickException as error:
            raise click.exceptions.Exit(
                _unknown(f"{error.format_message()} (see memrep check --help)")
            ) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            return _unknown(str(error))
        except BrokenPipeError:
            return _UNKNOWN  # whoever reads it has heard enough
        except (OSError, MemoryError) as error:
            return _unknown(in_words(error))


def _unknown(text: str) -> int:
    click.echo(Report("unknown", text).lines())
    return _UNKNOWN


def _list_of_checks() -> str:
    """Return the names of all checks with what they claim."""
    width = max(map(len, CHECKS))
    return "\n".join(f"  {name:{width}}  {check.claim}" for name, check in CHECKS.items())


@click.command(
    "check",
    cls=Plugin,
    epilog=f"\b\nThe checks; all but {SAFE_TO_STOP} are made if none is named:\n{_list_of_checks()}",
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "-w", "--write-out", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="How to tell it: in the words of a plugin, or as JSON.",
)  # fmt: skip
@click.option(
    "--timeout", type=Seconds(0.1, 3_600), default=asking.ANSWER_S, show_default=True, metavar="S",
    help="Seconds that a node may take to answer.",
)  # fmt: skip
@asking.options
def check_command(
    names: tuple[str, ...], form: str, timeout: float, admin: str | None, url: str | None, config: str | None
) -> int:
    """Tell a monitoring system if all is well (Nagios' conventions).

    The first line is the verdict, with figures of the asked node behind a bar; each further one is something
    that is wrong, with what to do.

    \b
    Examples:
      memrep check                       all that monitoring asks
      memrep check last-copy peers       only these
      memrep check safe-to-stop && systemctl restart memrep
      memrep check --url http://10.1.1.1:31211

    \b
    For NRPE, as a user of the group memrep:
      command[check_memrep]=/opt/memrep/venv/bin/memrep check

    Exit status: 0 ok, 1 warning, 2 critical, 3 unknown: no node answers, or a mistake in the command.
    """
    strange = [name for name in names if name not in CHECKS]
    if strange:
        click.echo(Report("unknown", f"there is no check {strange[0]!r}; the checks are").lines())
        click.echo(_list_of_checks())
        return _UNKNOWN
    try:
        answer = asking.ask(asking.where(admin, url, config), timeout)
    except NoAnswerError as error:
        found = Report("unknown", str(error))
    else:
        found = report(answer.status, names)
    click.echo(found.lines() if form == "table" else msgspec.json.format(msgspec.json.encode(found)).decode())
    return found.exit_status
