"""Nodes that an operator asks with `memrep status`, and with nothing else: what he would read is what is read.

Each question is a process of its own, as from a shell. It is put again until the answer is as expected, for
what nodes say of themselves goes round once a second; what is not said in time fails the test with all that was
said.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from memrep.status.facts import NodeStatus, Problem, Status

from .cluster import Cluster
from .processes import CHECKOUT, pause

#: How long an operator looks, s; and how long he rests between two looks.
PATIENCE_S: Final = 20.0
_REST_S: Final = 0.2

#: The exit statuses of `memrep status`.
WELL: Final = 0
PROBLEMS: Final = 1


def command(admin: Path, *arguments: str) -> tuple[int, str]:
    """What a command of memrep's says at this socket: its exit status, and all that it prints."""
    env = {name: text for name, text in os.environ.items() if not name.startswith("MEMREP_")}
    done = subprocess.run(
        [sys.executable, "-m", "memrep", *arguments, "--admin", str(admin)],
        env=env | {"PYTHONPATH": str(CHECKOUT)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def told(admin: Path, seen: Callable[[Status], bool], what: str, timeout_s: float = PATIENCE_S) -> Status:
    """The first answer of `memrep status -w json` in which that is seen."""
    ends_at = time.monotonic() + timeout_s
    while True:
        _, text = command(admin, "status", "-w", "json")
        if text.startswith("{"):
            status = msgspec.json.decode(text, type=Status)
            if seen(status):
                return status
        if time.monotonic() > ends_at:
            raise AssertionError(f"not within {timeout_s} s: {what}; the last answer is\n{text}")
        pause(_REST_S)


def problem(
    admin: Path, kind: str, said: str = "", severity: str = "", timeout_s: float = PATIENCE_S, of: str = ""
) -> Problem:
    """The problem of this kind that says this, once it is told; with this severity, of this node, if named."""

    def found(status: Status) -> list[Problem]:
        return [
            each
            for each in status.problems
            if each.kind == kind
            and said in each.text
            and severity in ("", each.severity)
            and (not of or of in each.nodes)
        ]

    status = told(admin, lambda status: bool(found(status)), f"a problem {kind!r} with {said!r}", timeout_s)
    return found(status)[0]


def table(admin: Path) -> str:
    """What is shown in 80 columns, as one line: words are not looked for where lines happen to break."""
    status, text = command(admin, "status")
    assert status in (WELL, PROBLEMS), text
    assert all(len(line) <= 80 for line in text.splitlines()), text
    return " ".join(text.split())


def one(status: Status, name: str) -> NodeStatus:
    """What is said of this node."""
    (node,) = (node for node in status.nodes if node.name == name)
    return node


def states(status: Status) -> list[str]:
    """The states of all nodes, in the order of the list."""
    return [node.state for node in status.nodes]


class Asked(Cluster):
    """Nodes with an admin socket each; only those run that a test starts.

    Args:
        count: how many there are.
        directory: where their files go.
        more: options for all of them.
        own: options for single ones.

    Attributes:
        listed: lists of nodes that single ones are given instead of the right one.
    """

    def __init__(
        self,
        count: int,
        directory: Path,
        more: Sequence[str] = (),
        own: Mapping[int, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(count, directory)
        self.more = list(more)
        self.own = dict(own or {})
        self.listed: dict[int, list[str]] = {}

    def admin(self, i: int) -> Path:
        """Where node i is asked."""
        return self.directory / f"admin{i}.sock"

    def argv(self, i: int) -> list[str]:
        """The command that runs node i; a list of nodes of its own, if it has one, counts instead of all."""
        nodes = ",".join(self.listed.get(i, self.addresses))
        return [
            sys.executable, "-m", "memrep", "serve", "--nodes", nodes, "--self", self.addresses[i],
            "--admin", str(self.admin(i)), *self.more, *self.own.get(i, ()),
        ]  # fmt: skip

    def told(self, i: int, seen: Callable[[Status], bool], what: str) -> Status:
        """What node i tells, once this is seen in it."""
        return told(self.admin(i), seen, what)

    def problem(self, i: int, kind: str, said: str = "", severity: str = "", of: str = "") -> Problem:
        """The problem of this kind, and of this node if one is named, that node i tells of, once it does."""
        return problem(self.admin(i), kind, said, severity, of=of)

    def table(self, i: int) -> str:
        """What node i shows, in one line."""
        return table(self.admin(i))


class Waiting(Asked):
    """The same; entered with nothing started."""

    def __enter__(self) -> Waiting:
        return self
