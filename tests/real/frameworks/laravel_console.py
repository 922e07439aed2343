"""Laravel on the command line over named nodes: what its cache, locks and queues are answered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.real.generation import DEBIAN_13, USED
from tests.real.named import NamedNodes
from tests.real.parallel import Worker
from tests.real.php import find_php

from .redis_sites import Laravel, Laravel10

#: What Laravel does with strings alone; and what it needs lists, hashes, sorted sets or other Lua for.
WITH_STRINGS = (
    "put", "get", "get of nothing", "has", "putMany", "many", "add", "forever", "remember", "increment", "pull",
    "forget", "lock", "rate limiter", "funnel",
)  # fmt: skip
WITH_MORE = ("tags", "queue", "throttle", "list", "hash")


class Console:
    """The site's directory, and the programs that are run in it; each begins at one of the nodes."""

    def __init__(self, nodes: NamedNodes, directory: Path, **env: str) -> None:
        self._nodes = nodes
        self.site = (Laravel10 if USED.generation is DEBIAN_13 else Laravel)(nodes, directory)
        self.site.build()
        settings = self.site.directory / ".env"
        kept = [line for line in settings.read_text().splitlines() if line.partition("=")[0] not in env]
        settings.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in env.items()), ""]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        # No web server was started, but ports are held for them.
        self.site.__exit__(kind, failure, trace)

    def run(self, *arguments: str, first: int = 0, options: Sequence[str] = ()) -> str:
        """What this order prints; PHP may have options."""
        argv = [*self.within(first), *find_php("redis"), *options, "console.php", *arguments]
        directory = self.site.directory
        done = subprocess.run(argv, check=False, cwd=directory, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def answers(self, *uses: str, first: int = 0, options: Sequence[str] = ()) -> dict[str, object]:
        """What each of these uses is answered."""
        answers: dict[str, object] = json.loads(self.run("answers", *uses, first=first, options=options))
        return answers

    def worker(self, i: int) -> Worker:
        """A process that counts under Laravel's lock; it begins at another node than the one before."""
        directory = self.site.directory
        return Worker(
            {"session.save_handler": "redis"}, directory, f"laravel{i}", 0,
            within=self.within(i), script=str(directory / "console.php"),
        )  # fmt: skip

    def within(self, first: int) -> list[str]:
        """The command in which the name begins at this node."""
        return [*self._nodes.beginning_at(first % self._nodes.count), "env", f"SITE={self.site.directory}"]
