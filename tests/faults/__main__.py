"""The command: `python -m tests.faults --seconds 60 kill freeze`."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import Final

import click

from tests.faults.faults import FAULTS, PAUSE_S, run_fault
from tests.faults.network import enter, forbidden
from tests.faults.nodes import Memcacheds, Redises
from tests.faults.report import HEAD, Outcome
from tests.faults.run import Run

_HELP: Final = """Real nodes under a checked load, and one kind of FAULT again and again.

Clients of memcached's protocol and of Redis' share the sessions and the counters.
Without FAULTS: all of them in which answers must be right.

\b
{faults}

One line for each: how many rounds and operations; what was wrong with answers: writes that were lost, reads
that were stale (older than what was acknowledged), resurrected (deleted before), double holders of a lock,
counter errors, locks that outlived their timeout, commands that were queued at a frozen node and took effect
all the same, and others. failed: requests that no node answered. refused, unreachable, closed, silent: attempts
at one node. slowest: the slowest whole request in ms, a client's own second at a silent node included; others:
the slowest answer of a node to which nothing was being done.

The exit status is 1 if anything was wrong; then what is known of it follows."""


@click.command(
    help=_HELP.format(faults="\n".join(f"  {name:<10} {fault.what}" for name, fault in FAULTS.items())),
    context_settings={"max_content_width": 112},
)
@click.argument("faults", nargs=-1, metavar="[FAULTS]...")
@click.option("--seconds", default=60.0, show_default=True, help="How long each fault goes on.")
@click.option("--seed", type=int, help="What chance begins with. [default: the clock]")
@click.option("--memcached", is_flag=True, help="Against plain memcacheds, which must be found wanting.")
@click.option("--redis-server", is_flag=True, help="Against plain redis-servers, which must be, too.")
@click.option(
    "--pause",
    default=PAUSE_S,
    show_default=True,
    help="Seconds from the end of a cut to the next one; 0 for faults in quick succession.",
)
@click.option("--serve", default="", metavar="OPTIONS", help="More options for `memrep serve`.")
def main(
    faults: tuple[str, ...],
    seconds: float,
    seed: int | None,
    pause: float,
    memcached: bool,
    redis_server: bool,
    serve: str,
) -> None:
    """Run each fault, and report."""
    unknown = [name for name in faults if name not in FAULTS]
    if unknown:
        raise click.UsageError(f"there is no fault {unknown[0]!r}; there are {' '.join(FAULTS)}")
    strangers = Memcacheds if memcached else Redises if redis_server else None
    seed = seed if seed is not None else int(time.time())
    chosen = faults or tuple(name for name, fault in FAULTS.items() if fault.promised)
    skipped = []
    if any(FAULTS[name].network for name in chosen):
        why = "strangers run on loopback" if strangers else forbidden()
        if why is None:
            enter(sys.argv[1:])
        else:
            skipped = [name for name in chosen if FAULTS[name].network]
    outcomes: list[Outcome] = []
    for name in chosen:
        if name in skipped:
            click.echo(f"{name:<10} SKIPPED: this machine allows no network namespaces ({why})")
            continue
        outcome = run_fault(
            name, seconds=seconds, seed=seed, kind=strangers,
            options=serve.split(), pause=pause, progress=partial(_progress, name),
        )  # fmt: skip
        if sys.stderr.isatty():
            click.echo("\r\033[K", nl=False, err=True)
        if not outcomes:
            click.echo(HEAD)
        click.echo(outcome.line())
        outcomes.append(outcome)
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    for outcome in wrong:
        click.echo()
        click.echo(outcome.evidence())
    must_not_skip = os.environ.get("CI") == "true"
    if skipped and must_not_skip:
        click.echo("CI=true says that nothing may be skipped")
    sys.exit(1 if wrong or (skipped and must_not_skip) else 0)


def _progress(name: str, run: Run) -> None:
    if sys.stderr.isatty():
        left = max(0, run.deadline - time.monotonic())
        event = run.world.events[-1][1] if run.world.events else ""
        wrong = sum(run.world.findings.counts.values())
        told = f"{name}: {left:3.0f} s left, {len(run.world.tally.times)} operations, {wrong} wrong; {event}"
        click.echo(f"\r\033[K{told}", nl=False, err=True)


if __name__ == "__main__":
    main()
