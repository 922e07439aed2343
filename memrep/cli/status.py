"""`memrep status`: shows a cluster once, again and again, or waits until it is as a script needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Final

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import Answer, NoAnswerError
from memrep.cli.values import Seconds
from memrep.daemon.last_words import say
from memrep.errors import UsageError
from memrep.status.facts import SERVING, Status
from memrep.status.table import render

#: Exit statuses.
_WELL: Final = 0
_PROBLEMS: Final = 1
_NOBODY: Final = 3

#: Seconds between two looks of who waits, and of who watches.
_POLL_S: Final = 0.2
_REPAINT_S: Final = 1.0

#: For how long one waits unless told otherwise, s.
_WAIT_S: Final = 60.0

#: To the upper left corner, and nothing below it.
_CLEAR: Final = "\x1b[H\x1b[2J"


@click.command("status")
@click.option(
    "-w", "--write-out", "form", type=click.Choice(["table", "json", "wide"]), default="table",
    show_default=True, help="How to show it: in 80 columns, as the node's own JSON, or with all that is known.",
)  # fmt: skip
@click.option(
    "--wait", "goal", type=click.Choice(["ready", "full", "all"]),
    help="Wait until the asked node serves (ready), all nodes of the list serve (full), or there is no problem "
    "besides (all).",
)  # fmt: skip
@click.option("--watch", is_flag=True, help="Show it anew each second, until Ctrl-C.")
@click.option(
    "--timeout", type=Seconds(0.1, 86_400), metavar="S",
    help=f"Seconds that a node may take to answer [default: {asking.ANSWER_S:g}], or with --wait that all of "
    f"it may take [default: {_WAIT_S:g}].",
)  # fmt: skip
@asking.options
def status_command(
    form: str,
    goal: str | None,
    watch: bool,
    timeout: float | None,
    admin: str | None,
    url: str | None,
    config: str | None,
) -> int:
    """Show who serves and what is wrong, or wait until all is well.

    Any node knows about all of them; the one that answers is marked with *. It answers in whatever state it is.
    What is unknown is shown as "-".

    \b
    LAG    writes of the asked node's that the other has not acknowledged
    CLOCK  how far its clock is ahead of the asked node's
    PATH   how the asked node reaches it: direct, via another node, one way

    \b
    Examples:
      memrep status                              the node that runs here
      memrep status --watch                      while something is being mended
      memrep status --wait full --timeout 120    before the next server is restarted
      memrep status -w json | jq '.problems[]'   for programs; fields are only added
      memrep status --url http://10.1.1.1:31211  another machine's

    Exit status: 0 all is well, or has come as it was waited for; 1 there are problems, or what was waited for
    has not come; 2 a mistake in the command; 3 no node answers.
    """
    if goal and watch:
        raise UsageError("--wait ends and --watch does not; leave one of them out")
    place = asking.where(admin, url, config)
    if watch:
        _watch(asking.attempts(place, _REPAINT_S), form)
        return _WELL
    if goal:
        return _wait(asking.attempts(place, _POLL_S, timeout or _WAIT_S), goal, form)
    try:
        answer = asking.ask(place, timeout or asking.ANSWER_S)
    except NoAnswerError as error:
        say(f"memrep: {error}")
        return _NOBODY
    click.echo(shown(answer, form))
    return _PROBLEMS if answer.status.problems else _WELL


def shown(answer: Answer, form: str) -> str:
    """Return the answer as the operator wants to see it."""
    if form == "json":
        return msgspec.json.format(answer.body, indent=2).decode()
    return render(answer.status, wide=form == "wide")


def _watch(outcomes: Iterable[Answer | NoAnswerError], form: str) -> None:
    clear = _CLEAR if sys.stdout.isatty() else ""
    for outcome in outcomes:
        text = f"memrep: {outcome}" if isinstance(outcome, NoAnswerError) else shown(outcome, form)
        click.echo(f"{clear}{text}")


def _wait(outcomes: Iterable[Answer | NoAnswerError], goal: str, form: str) -> int:
    """Look at what comes until it is as it should be; say what is missing if it does not come."""
    reasons = ""
    for outcome in outcomes:
        if isinstance(outcome, NoAnswerError):
            reasons = str(outcome)
            continue
        reasons = "; ".join(_missing(outcome.status, goal))
        if not reasons:
            click.echo(shown(outcome, form))
            return _WELL
    say(f"memrep: waited in vain for `{goal}`: {reasons}")
    return _PROBLEMS


def _missing(status: Status, goal: str) -> Iterator[str]:
    """Yield what is missing for this goal."""
    for node in status.nodes:
        if node.state != SERVING and (node.asked or goal != "ready"):
            yield f"{node.name} is {node.state}" + (f" ({node.why})" if node.why else "")
    if goal == "all":
        yield from (problem.text for problem in status.problems)
