"""Runs the simulator over many seeds, on all cores: `python -m tests.simulate --seeds 1000`.

A failing seed prints what happened and the one command that replays it; the exit status is then 1.

`--broken NAME` takes a rule away first (tests/simulation/rule_mutations.py) and searches for the first seed
that notices; the exit status is 1 if none does. `--broken all` does so with one rule after another; not with
those of which no seed is known, only a story.

`--fingerprint` prints a hash of all that nodes say, to each other and to clients: a change that is to change
nothing keeps it. `--each` prints one for every seed. `--seed N --trace` prints what happens in a run, a line
for each message and each change of a node's state (tests/simulation/trace.py).
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from multiprocessing.pool import Pool

import click

from tests.simulation.plan import KINDS, Broken
from tests.simulation.power import KIND as POWER
from tests.simulation.power import simulate_power
from tests.simulation.rule_mutations import BREAKAGES, Breakage
from tests.simulation.simulator import Outcome, replay, simulate
from tests.simulation.trace import Fingerprint, Trace
from tests.simulation.world import World


def _one(only: str, seed: int) -> Outcome | str:
    try:
        return _power(seed) if only == POWER else simulate(seed, only)
    except Broken as error:
        return str(error)
    except Exception as error:  # a crash of the node itself is a finding too, not the end of the run
        return f"seed {seed}: {error!r}\n{replay(seed, only)}"


def _power(seed: int) -> Outcome:
    simulate_power(seed)
    return Outcome(0, 0.0, 0)


def _fingerprint(only: str, seed: int) -> str:
    """The hash of one run, whether it keeps every promise or not."""
    watched: list[Fingerprint] = []

    def watch(world: World) -> Fingerprint:
        watched.append(Fingerprint(world))
        return watched[0]

    with suppress(Broken):
        simulate(seed, only, watch)
    return str(watched[0])


def _print_fingerprint(seeds: range, kind: str, each: bool) -> None:
    whole = blake2b(digest_size=16)
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for seed, one in zip(seeds, pool.imap(partial(_fingerprint, kind), seeds, chunksize=4), strict=True):
            whole.update(one.encode())
            if each:
                click.echo(f"{seed:>6}  {one}")
    click.echo(f"{whole.hexdigest()}  seeds {seeds.start} to {seeds.stop - 1}{' ' + kind if kind else ''}")


def _first_caught(breakage: Breakage, seeds: range, pool: Pool) -> tuple[int, str] | None:
    """The first of these seeds that notices, and what it says."""
    found = pool.imap(partial(_notices, breakage.name), seeds)
    return next(((seed, said) for seed, said in zip(seeds, found, strict=True) if said is not None), None)


def _notices(name: str, seed: int) -> str | None:
    return BREAKAGES[name].caught(seed)


def _break(names: list[str], seeds: range) -> bool:
    """Take each of these rules away and search; say whether all were missed by somebody."""
    missing = 0
    for name in names:
        with multiprocessing.Pool(os.cpu_count()) as pool:
            found = _first_caught(BREAKAGES[name], seeds, pool)
        missing += found is None
        seed, said = found or ("-", f"nobody noticed in {len(seeds)} seeds")
        click.echo(f"{seed:>4}  {name}: {said}")
    return not missing


@click.command()
@click.option("--seeds", default=1000, show_default=True, help="How many seeds to run.")
@click.option("--first", default=1, show_default=True, help="The first of them.")
@click.option("--seed", type=int, help="Replay just this one.")
@click.option("--stop-after", default=3, show_default=True, help="Give up after so many failing seeds.")
@click.option("--kind", type=click.Choice(sorted({*KINDS, POWER})), help="Only runs of this kind.")
@click.option("--fingerprint", is_flag=True, help="Print a hash of all that is said, instead of searching.")
@click.option("--each", is_flag=True, help="With --fingerprint: one for every seed, too.")
@click.option("--trace", is_flag=True, help="With --seed: print what happens, message by message.")
@click.option("--broken", type=click.Choice(["all", *BREAKAGES]), help="Take a rule away; it must be noticed.")
def main(
    seeds: int,
    first: int,
    seed: int | None,
    stop_after: int,
    kind: str | None,
    fingerprint: bool,
    each: bool,
    trace: bool,
    broken: str | None,
) -> None:
    """Search for a broken promise in simulated clusters."""
    if broken is not None:
        known = [name for name, breakage in BREAKAGES.items() if breakage.seed is not None]
        names = known if broken == "all" else [broken]
        sys.exit(
            0 if _break(names, range(first, first + seeds) if seed is None else range(seed, seed + 1)) else 1
        )
    if fingerprint:
        _print_fingerprint(
            range(first, first + seeds) if seed is None else range(seed, seed + 1), kind or "", each
        )
        return
    if seed is not None and kind == POWER:
        click.echo(_power(seed))
        return
    if seed is not None:
        click.echo(simulate(seed, kind or "", (lambda world: Trace(world, click.echo)) if trace else None))
        return
    started = time.monotonic()
    commands = failed = undecided = done = 0
    slowest = 0.0
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for outcome in pool.imap_unordered(partial(_one, kind or ""), range(first, first + seeds), chunksize=4):
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
