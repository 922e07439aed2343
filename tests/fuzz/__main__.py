"""Runs the searches beside each other, for some minutes: `python -m tests.fuzz --minutes 10`.

What is found is left in a file, and the one command is printed that replays it; the exit status is then 1.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import click

from tests.conformance.servers import RealMemcached
from tests.fuzz import redis, reference, seeds
from tests.fuzz.target import KINDS, check, pieces
from tests.real.processes import find_program

FOLDER: Final = Path(".fuzz")

_NO_ATHERIS: Final = "make fuzz needs atheris (pip install '.[fuzz]'), and there is none for this Python"

#: Longest input, bytes.
_LENGTH_MAX: Final = 2_000

#: What one input may take, s; then it is a finding.
_SLOW_S: Final = 10


class _Search:
    """One guided search in a process of its own."""

    def __init__(self, kind: str, seconds: int, seed: int) -> None:
        self.kind = kind
        self.folder = FOLDER / kind
        self.begun = time.time()
        corpus = self.folder / "corpus"
        self._seeds = seeds.write_corpus(kind, corpus)
        seeds.write_words(kind, self.folder / "words")
        self._log = self.folder / "log"
        options = [
            f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={_LENGTH_MAX}", f"-timeout={_SLOW_S}",
            f"-dict={self.folder / 'words'}", f"-artifact_prefix={self.folder}/", "-print_final_stats=1",
            "-rss_limit_mb=2048", str(corpus),
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.search", kind, *options],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def end(self, seconds: float) -> None:
        """Wait for its end, which comes by itself."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def report(self) -> list[Path]:
        """Print what it did; the files of what it has found."""
        text = self._log.read_text("utf-8", "replace")
        runs = re.findall(r"#(\d+)\s", text)
        coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
        first, last = (coverage[0], coverage[-1]) if coverage else (("0",) * 3, ("0",) * 3)
        click.echo(
            f"{self.kind}: {runs[-1] if runs else 0} executions, coverage {first[0]} -> {last[0]} edges "
            f"({last[1]} features), corpus {self._seeds} -> {last[2]} inputs"
        )
        found = [
            file
            for file in self.folder.iterdir()
            if re.match(r"(crash|timeout|oom|slow-unit)-", file.name) and file.stat().st_mtime >= self.begun
        ]
        if self._process.returncode and not found:
            click.echo(text[-3_000:])
        elif found:
            click.echo(text[text.find(" === Uncaught") :][:3_000])
        return found

    @property
    def failed(self) -> bool:
        """Whether it has ended otherwise than by its time."""
        return self._process.returncode != 0


def _replay(kind: str, file: Path) -> None:
    if kind in KINDS:
        data = file.read_bytes()
        click.echo("\n".join(f"> {piece!r}" for piece in pieces(kind, data)))
        check(kind, data)
        return
    difference = redis.replay(file) if kind == "redis-server" else _differs_from_memcached(file.read_bytes())
    if difference is not None:
        raise AssertionError(difference)


def _differs_from_memcached(data: bytes) -> str | None:
    click.echo(f"> {data!r}")
    with (
        tempfile.TemporaryDirectory() as folder,
        RealMemcached(quiet=True) as memcached,
        reference.NodeAlone(Path(folder)) as node,
    ):
        return reference.Comparison(memcached, node).differs(data)


#: The comparisons, by the program that a node is compared with.
_COMPARISONS: Final = {"memcached": reference.compare, "redis-server": redis.compare}


@click.command()
@click.option("--minutes", default=10.0, show_default=True, help="How long to search.")
@click.option("--seed", default=0, help="Of all chance; 0 takes the time.")
@click.option("--only", type=click.Choice([*KINDS, *_COMPARISONS]), multiple=True, help="Only these searches.")
@click.option("--replay", nargs=2, metavar="KIND FILE", help="Say again what was found.")
def main(minutes: float, seed: int, only: tuple[str, ...], replay: tuple[str, str] | None) -> None:
    """Search for input that breaks a parser."""
    if replay is not None:
        _replay(replay[0], Path(replay[1]))
        click.echo("nothing is wrong with that any more")
        return
    kinds = [kind for kind in KINDS if not only or kind in only]
    if kinds and importlib.util.find_spec("atheris") is None:
        sys.exit(_NO_ATHERIS)
    programs = [name for name in _COMPARISONS if not only or name in only]
    for name in programs:
        find_program(name)
    seed = seed or int(time.time())
    click.echo(f"searching for {minutes:g} minutes, seed {seed}")
    seconds = max(1, round(minutes * 60))
    searches = [_Search(kind, seconds, seed) for kind in kinds]
    over = time.monotonic() + seconds
    found: list[tuple[str, Path]] = []
    with ThreadPoolExecutor() as pool:
        compared = {
            name: pool.submit(_COMPARISONS[name], seconds, seed, FOLDER / name, click.echo) for name in programs
        }
        found += [(name, file) for name, files in compared.items() for file in files.result()]
    for search in searches:
        search.end(max(0.0, over - time.monotonic()) + 60)
        found += [(search.kind, file) for file in search.report()]
    for kind, file in found:
        click.echo(f"found something; replay it: {sys.executable} -m tests.fuzz --replay {kind} {file}")
    sys.exit(1 if found or any(search.failed for search in searches) else 0)


if __name__ == "__main__":
    main()
