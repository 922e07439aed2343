"""A node whose turns are timed by the CPU: `python -m bench.turns FILE serve ...` is `memrep serve ...`.

How long a turn lasts by the clock depends on what else the machine does; how long its thread was on a CPU
does not. FILE is shared memory with two doubles that anybody may read, and set to 0: the longest turn since
then, and how many turns took longer than LATE_S.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from memrep.cli import main
from memrep.daemon.reactor import Reactor

#: What nobody should have to wait for, s.
LATE_S: Final = 0.01

_RECORD: Final = struct.Struct("dd")


class TurnTimes:
    """The shared memory.

    Args:
        path: of its file, which is made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_RECORD.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _RECORD.size)

    def take(self) -> tuple[float, int]:
        """Return the longest turn, s, and how many were late; begin anew."""
        longest, late = _RECORD.unpack(self._memory)
        _RECORD.pack_into(self._memory, 0, 0.0, 0.0)
        return longest, int(late)

    def note(self, took: float) -> None:
        """Note how long a turn has taken, s."""
        longest, late = _RECORD.unpack(self._memory)
        _RECORD.pack_into(self._memory, 0, max(longest, took), late + (took > LATE_S))


def _time_turns(times: TurnTimes) -> None:
    take_turn = Reactor._take_turn  # what ticks and sockets have in common

    def timed(reactor: Reactor, act: Callable[..., object], *args: object) -> None:
        began = time.thread_time()
        take_turn(reactor, act, *args)
        times.note(time.thread_time() - began)

    Reactor._take_turn = timed  # type: ignore


if __name__ == "__main__":
    _time_turns(TurnTimes(Path(sys.argv.pop(1))))
    main()
