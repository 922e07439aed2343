"""redis-cli, as a person at a terminal sees it: one command, or a conversation."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Final, Self

import attrs

from .processes import HOST, find_program

#: How long a command may take, s.
PATIENCE_S: Final = 20

#: What it writes for a terminal alone: colours, and where the cursor goes.
_TERMINAL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@attrs.frozen
class RedisCli:
    """redis-cli of one server.

    Attributes:
        port: that of the server,
        host: and where that is.
    """

    port: int
    host: str = HOST

    def argv(self, *words: str) -> list[str]:
        """How it is called."""
        return [find_program("redis-cli"), "-h", self.host, "-p", str(self.port), *words]

    def shown(self, *words: str) -> str:
        """What a terminal shows for this command, whose words may be options, too."""
        return self.run("--no-raw", *words).stdout

    def run(self, *words: str, stdin: str | bytes | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end, as in a pipe."""
        done = subprocess.run(
            self.argv(*words),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode()
        )


class Terminal:
    """redis-cli with a terminal to itself, in which a person types.

    Args:
        cli: which server it is of.
        home: where it keeps its history, rather than in the home of whoever runs the tests.
        words: its options.

    Attributes:
        seen: all that has stood on the screen.
    """

    def __init__(self, cli: RedisCli, home: Path, *words: str) -> None:
        self.seen = ""
        self._argv = cli.argv(*words)
        self._env = dict(os.environ) | {"HOME": str(home), "TERM": "dumb"}

    def __enter__(self) -> Self:
        self._child, self._screen = pty.fork()
        if self._child == 0:
            os.execvpe(self._argv[0], self._argv, self._env)
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        os.close(self._screen)

    def types(self, line: str) -> None:
        """Type a line, and the key that ends it."""
        os.write(self._screen, line.encode() + b"\n")

    def interrupts(self) -> None:
        """Type Ctrl-C."""
        os.write(self._screen, b"\x03")

    def sees(self, pattern: str) -> str:
        """Wait until this stands on the screen, in what has not been looked at; return that."""
        deadline = time.monotonic() + PATIENCE_S
        new = ""
        while not re.search(pattern, new):
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{pattern!r} is not seen behind {self.seen!r}"
            new += self._read()
        self.seen += new
        return new

    def ends(self) -> None:
        """Wait until it has ended, by itself."""
        try:
            while True:
                self.seen += self._read()
        except OSError:  # that is how a terminal tells that nobody is on it any more
            return

    def _read(self) -> str:
        return _TERMINAL.sub("", os.read(self._screen, 1 << 16).decode()).replace("\r\n", "\n")
