"""`memrep doctor`: everything that would hinder a node on this machine, told before it starts.

It takes the options of `memrep serve`, from the same file and environment, and looks as that would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError
from memrep.cli.given import checked
from memrep.cli.serve import named, serve_command
from memrep.daemon.options import ServeOptions
from memrep.doctor.examination import examine
from memrep.doctor.finding import Finding
from memrep.doctor.machine import clock
from memrep.errors import UsageError
from memrep.status.words import wrapped

_WELL: Final = 0
_TO_DO: Final = 1

_WIDTH: Final = 100

#: How long a node that may run here is given to say so, s.
_RUNS_S: Final = 1.0

_HELP: Final = """Look for what would hinder a node, before it starts.

It is given what `memrep serve` is given, and looks at all that such a node needs: descriptors, memory, clock,
the names of the nodes, its own ports, and the ways to and from the others. Those that run already call here;
what they say tells whether they would let this node in. Nothing is changed. If the node itself runs, its ports
and the ways back are left out, and `memrep status` tells of them.

\b
Examples:
  memrep doctor --config /etc/memrep/memrep.toml
  memrep doctor --nodes tcp://10.1.1.1:11211,tcp://10.2.2.2:11211
  sudo -u memrep memrep doctor --config ...      as the user of the service

All other options are those of `memrep serve --help`.

Exit status: 0 if a node can start and reach the others, 1 if something has to be done, 2 for a mistake in the
command. A node that does not run yet is no mistake.
"""


def _doctor(form: str, **values: Any) -> int:
    findings = []
    for finding in _findings(named(values)):
        findings.append(finding)
        if form == "table":
            click.echo(_lines(finding))  # each as soon as it is known: some take seconds
    bad = sum(finding.is_bad for finding in findings)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=2).decode())
    else:
        click.echo(f"\n{bad} of {len(findings)} want something done" if bad else "\nnothing hinders this node")
    return _TO_DO if bad else _WELL


def _findings(given: Mapping[str, object]) -> Iterator[Finding]:
    try:
        options = checked(given)
    except UsageError as error:
        text, _, advice = str(error).partition("; ")
        yield Finding("options", "wrong", text, advice)
        yield from clock()
        return
    count = len(options.nodes)
    company = f"one of {count}" if count > 1 else "and has no others"
    yield Finding(
        "options",
        "ok",
        f"this node is {options.me}, {company}",
    )
    yield from examine(options, _runs(options, str(given["admin"] or "")))


def _runs(options: ServeOptions, admin: str) -> bool:
    """Tell whether this very node runs already."""
    try:
        place = asking.where(admin, None, None)
        return asking.ask(place, _RUNS_S).status.asked == str(options.me)
    except (NoAnswerError, UsageError):
        return False


def _lines(finding: Finding) -> str:
    head = f"{finding.verdict:8}{finding.subject:12} "
    margin = " " * len(head)
    lines = wrapped(finding.text, _WIDTH, head, margin)
    if finding.remedy:
        lines += wrapped(finding.remedy, _WIDTH, f"{margin}-> ", f"{margin}   ")
    return "\n".join(lines)


class _Doctor(click.Command):
    """A command whose help leaves the options of `memrep serve` to the help of that."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write its own options into the help."""
        own = [_FORM, self.get_help_option(ctx)]
        with formatter.section("Options"):
            formatter.write_dl([record for each in own if each and (record := each.get_help_record(ctx))])


_FORM: Final = click.Option(
    ["-w", "--write-out", "form"],
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to tell it: in words, or as JSON.",
)

doctor_command = _Doctor(
    "doctor",
    callback=_doctor,
    params=[_FORM, *serve_command.params],
    help=_HELP,
    context_settings=serve_command.context_settings,
)
