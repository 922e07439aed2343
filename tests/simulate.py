"""Runs the simulator over many seeds, on all cores: `python -m tests.simulate --seeds 1000`.

A failing seed prints what happened and the one command that replays it; the exit status is then 1.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time

import click

from tests.simulator import Broken, Outcome, simulate


def _one(seed: int) -> Outcome | str:
    try:
        return simulate(seed)
    except Broken as error:
        return str(error)
    except Exception as error:  # a crash of the node itself is a finding too, not the end of the run
        return f"seed {seed}: {error!r}\nReplay: python -m tests.simulate --seed {seed}"


@click.command()
@click.option("--seeds", default=1000, show_default=True, help="How many seeds to run.")
@click.option("--first", default=1, show_default=True, help="The first of them.")
@click.option("--seed", type=int, help="Replay just this one.")
@click.option("--stop-after", default=3, show_default=True, help="Give up after so many failing seeds.")
def main(seeds: int, first: int, seed: int | None, stop_after: int) -> None:
    """Search for a broken promise in simulated clusters."""
    if seed is not None:
        click.echo(simulate(seed))
        return
    started = time.monotonic()
    commands = failed = undecided = done = 0
    slowest = 0.0
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for outcome in pool.imap_unordered(_one, range(first, first + seeds), chunksize=4):
            done += 1
            if isinstance(outcome, str):
                failed += 1
                click.echo(outcome)
                if failed >= stop_after:
                    pool.terminate()
                    break
                continue
            commands += outcome.commands
            undecided += outcome.undecided
            slowest = max(slowest, outcome.slowest)
            if done % 100 == 0 and sys.stderr.isatty():
                click.echo(f"\r{done} of {seeds} seeds", nl=False, err=True)
    click.echo(
        f"{done} seeds, {commands} commands, {failed} seeds with a broken promise, {undecided} histories "
        f"undecided, slowest answer {slowest:.0f} virtual ms, {time.monotonic() - started:.1f} s"
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
