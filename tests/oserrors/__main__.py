"""The command: `python -m tests.oserrors --jobs 2 accept4 sendto`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from tests.oserrors.matrix import Outcome, cases_of, play_start, run, see_all, start_cases, unknown


@click.command()
@click.argument("calls", nargs=-1, metavar="[CALL]...")
@click.option("--jobs", default=3, show_default=True, help="Nodes at a time.")
@click.option("--part", default="all", type=click.Choice(["all", "running", "start"]), show_default=True)
@click.option("--verbose", is_flag=True, help="Show each case.")
def main(calls: tuple[str, ...], jobs: int, part: str, verbose: bool) -> None:
    """Let every system call of a real node fail, with every error that it can have.

    With CALLs only those. The exit status is 1 if a node died, froze, lied, or said nothing that helps.
    """
    with tempfile.TemporaryDirectory(prefix="memrep-oserrors") as name:
        outcomes = play(Path(name), calls, jobs, part, verbose)
    report(outcomes)
    sys.exit(any(outcome.wrong for outcome in outcomes))


def play(folder: Path, calls: tuple[str, ...], jobs: int, part: str, verbose: bool = False) -> list[Outcome]:
    """All cases, some at a time."""
    outcomes: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if outcome.wrong or verbose:
            click.echo(
                f"{outcome.case}: {outcome.injected} failed, {outcome.said} lines; {outcome.wrong or 'ok'}"
            )

    with ThreadPoolExecutor(jobs) as pool:
        if part != "start":
            seen = see_all(folder)
            strangers = unknown(seen)
            if strangers:
                raise click.ClickException(f"tests/oserrors/table.py knows nothing of {' '.join(strangers)}")
            cases = [case for case in cases_of(seen) if not calls or case.call in calls]

            def play_some(which: int) -> None:
                mine = folder / str(which)
                mine.mkdir()
                for outcome in run(cases[which::jobs], mine):
                    note(outcome)

            list(pool.map(play_some, range(jobs)))
        if part != "running":
            at_start = [case for case in start_cases(folder) if not calls or case.call in calls]
            for outcome in pool.map(lambda case: play_start(case, folder), at_start):
                note(outcome)
    return outcomes


def report(outcomes: list[Outcome]) -> None:
    """How many there were, and what was not reached."""
    failed = sum(outcome.injected for outcome in outcomes)
    missed = [outcome for outcome in outcomes if not outcome.injected]
    names = {outcome.case.call for outcome in outcomes}
    click.echo(
        f"{len(outcomes)} cases of {len(names)} system calls, {failed} calls failed; "
        f"{len(missed)} cases met no call; {sum(bool(outcome.wrong) for outcome in outcomes)} wrong"
    )
    never = {outcome.case.call for outcome in missed} - {
        outcome.case.call for outcome in outcomes if outcome.injected
    }
    if never:
        click.echo(f"never made to fail: {' '.join(sorted(never))}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.TimeoutExpired as error:
        sys.exit(f"a node does not end: {error}")
