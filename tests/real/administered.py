"""Nodes with an admin socket each, and memrep's own commands that ask there."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .cluster import START_TIMEOUT_S, Cluster
from .processes import CHECKOUT

#: More than any of these commands takes, on a busy machine, s.
PATIENCE_S = 60


class Administered(Cluster):
    """Daemons that are asked by `memrep COMMAND`."""

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--admin", str(self.admin(i))]

    def admin(self, i: int) -> Path:
        """The admin socket of node i."""
        return self.directory / f"admin{i}.sock"

    def wait_healed(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once all nodes serve, and each has heard that from all others, as its commands tell it."""
        super().wait_healed(timeout_s)
        for i in range(self.count):
            self.done(i, "status", "--wait", "full")

    def ask(self, i: int, *words: str) -> subprocess.CompletedProcess[str]:
        """What `memrep` with these words says of node i."""
        return subprocess.run(
            [*self.argv(i)[:3], *words, "--admin", str(self.admin(i))],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            cwd=CHECKOUT,
        )

    def done(self, i: int, *words: str) -> str:
        """What such a command says that has to go well."""
        outcome = self.ask(i, *words)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        return outcome.stdout
