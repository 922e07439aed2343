"""`python -m bench`: everything that docs/performance.md states, measured in one run beside its peers.

QUICK=1 in the environment makes it short: under five minutes, of which a ratio is good to about a third.
`--only` runs one section, several if given several times. The raw rounds go to a JSON file, from which
`--read` makes the tables again, pictures, and with `--write-docs` the page, without measuring.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Final

import attrs
import click

from bench.peers import CannotMeasure
from bench.plots import draw
from bench.report import Answer, Report, machine, section, written_into
from bench.rounds import FULL, QUICK, Scale
from bench.sections import SECTIONS, Section

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "performance.md"
RESULTS: Final = ROOT / "bench" / "results"


@click.command()
@click.option("--only", type=click.Choice(list(SECTIONS)), multiple=True, help="Only this section.")
@click.option("--rounds", type=click.IntRange(1), help="Turns of each competitor.")
@click.option("--seconds", type=float, help="How long one figure is watched.")
@click.option(
    "--json", "path", type=click.Path(path_type=Path), default=RESULTS / "bench.json", show_default=True
)
@click.option("--read", is_flag=True, help="Measure nothing: show what the JSON file holds.")
@click.option("--write-docs", is_flag=True, help="Write the tables into docs/performance.md.")
@click.option("--plots", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    only: tuple[str, ...],
    rounds: int | None,
    seconds: float | None,
    path: Path,
    read: bool,
    write_docs: bool,
    plots: Path,
) -> None:
    """Measure memrep beside memcached and Redis."""
    if write_docs and only:
        raise click.UsageError("the page is of one run: --write-docs goes without --only")
    names = only or tuple(SECTIONS)
    if read:
        report = Report.of(json.loads(path.read_text("utf-8")))
        for name in names:
            if name in report.answers:
                _show(report.answers[name])
    else:
        scale = QUICK if os.environ.get("QUICK", "0") not in ("", "0") else FULL
        scale = Scale(rounds or scale.rounds, seconds or scale.seconds, scale.quick)
        report = _measured(names, scale)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(attrs.asdict(report), indent=1), "utf-8")
        click.echo(f"{machine(report)}\n\nThe raw rounds are in {path}.")
    if write_docs:
        PAGE.write_text(written_into(PAGE.read_text("utf-8"), report), "utf-8")
    try:
        for picture in draw(report, plots):
            click.echo(f"Drawn: {picture}")
    except ImportError:
        click.echo("No pictures: matplotlib is not installed (pip install '.[bench]').")


def _measured(names: tuple[str, ...], scale: Scale) -> Report:
    before, stolen = os.getloadavg(), _stolen_s()
    began = time.monotonic()
    answers = {}
    for name in names:
        answers[name] = _answer(SECTIONS[name], scale)
        _show(answers[name])
    passed = time.monotonic() - began
    stolen = (_stolen_s() - stolen) / passed / (os.cpu_count() or 1)
    loads = f"load average {before[0]:.1f} before and {os.getloadavg()[0]:.1f} after"
    command = "python -m bench" + "".join(f" --only {name}" for name in names if len(names) < len(SECTIONS))
    return Report(
        {
            "command": f"{'QUICK=1 ' if scale.quick else ''}{command}",
            "rounds": f"{scale.rounds}, of {scale.seconds:g} s; {passed:.0f} s in all",
            "machine": f"{_cpu()}, {os.cpu_count()} CPUs, Linux {platform.release()}",
            "noise": f"{loads}, {stolen:.1%} of CPU time stolen",
            "memrep": _version("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
            "Python": _python(),
            "memcached": _version("memcached", "--version"),
            "Redis": _version("redis-server", "--version"),
        },
        scale.quick,
        answers,
    )


def _answer(asked: Section, scale: Scale) -> Answer:
    began = time.monotonic()
    click.echo(f"## {asked.title}\n")
    try:
        found = asked.measure(scale)
    except CannotMeasure as missing:
        found = f"not measured: {missing}"
    seconds = time.monotonic() - began
    if isinstance(found, str):
        return Answer(asked.title, asked.note, seconds, told=found)
    return Answer(asked.title, asked.note, seconds, found)


def _show(answer: Answer) -> None:
    click.echo(f"{section(answer)}\n\n({answer.seconds:.0f} s)\n")


def _stolen_s() -> float:
    """Seconds for which a hypervisor gave our CPUs to others."""
    return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())


def _python() -> str:
    """Its version, and whether it was built with profiles (PGO), which weighs more than the version."""
    built = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return (
        f"{platform.python_version()}, built {'with' if '--enable-optimizations' in built else 'without'} PGO"
    )


def _version(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
