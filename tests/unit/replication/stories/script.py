"""The form of a story: blocks of commands with what came of them, read, replayed, compared.

A story is kept as the very lines of its file, and a replay gives them back: whatever a person wrote stays, and
only what stands below `----` is written anew.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final

import attrs

from tests.unit.replication.stories.stage import Stage, WrongCommand

HERE: Final = Path(__file__).parent
PATHS: Final = sorted(HERE.glob("*.txt"))

#: What stands between commands and what came of them.
_BAR: Final = "----"


class BadStory(Exception):
    """A story that cannot be replayed: which file, which line, why."""


@attrs.frozen
class Block:
    """Commands, one a line, and comments between them.

    Attributes:
        number: of the first line in its file.
        lines: as they are written.
    """

    number: int
    lines: list[str]

    def commands(self) -> Iterator[tuple[int, str]]:
        """Each command with the number of its line."""
        for number, line in enumerate(self.lines, self.number):
            if not line.startswith("#"):
                yield number, line.strip()


@attrs.frozen
class Story:
    """One file.

    Attributes:
        name: of the file.
        text: all of it.
    """

    name: str
    text: str

    def parts(self) -> Iterator[str | Block]:
        """Its comments and blank lines as they are, and its blocks without what came of them."""
        lines = self.text.splitlines()
        i = 0
        while i < len(lines):
            if not lines[i].strip() or lines[i].startswith("#"):
                yield lines[i]
                i += 1
                continue
            block = list(takewhile(str.strip, lines[i:]))
            yield Block(i + 1, list(takewhile(lambda line: line != _BAR, block)))
            i += len(block)

    def replayed(self) -> str:
        """The same with what comes of it now.

        Raises:
            BadStory: a command is none, or cannot be carried out.
        """
        stage = Stage()
        told: list[str] = []
        for part in self.parts():
            if isinstance(part, str):
                told.append(part)
                continue
            told += [*part.lines, _BAR]
            for number, command in part.commands():
                try:
                    told += stage.do(command)
                except WrongCommand as error:
                    raise BadStory(f"{self.name}:{number}: {command}: {error}") from None
        return "".join(f"{line}\n" for line in told)

    def difference(self, replayed: str) -> str:
        """What comes out otherwise than it is written, as a unified diff; empty if nothing does."""
        if replayed == self.text:
            return ""
        before, after = self.text.splitlines(), replayed.splitlines()
        names = f"{self.name} as it is written", f"{self.name} as it is now"
        lines = difflib.unified_diff(before, after, *names, lineterm="")
        return "\n".join([*lines, "", "If this is what is meant: `make story` writes it down."])


def read(path: Path) -> Story:
    """The story in this file."""
    return Story(path.name, path.read_text("utf-8"))
