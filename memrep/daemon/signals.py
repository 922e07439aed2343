"""Signals: which of them mean something to a node, and that no other ends it.

By default most signals end a process, and two of them stop one that writes to its terminal from the background.
None of that is what anybody wants of a node when a terminal closes, a script asks for a reload, or a limit on
CPU time is reached. What asks for nothing that memrep can do is ignored. Those that a person sends on purpose,
to end, stop or dump a process, keep their meaning, as do those by which the kernel tells of a fault.

What a node does hear waits for its next tick. A handler that did more, or had to wake somebody, could fail in
the midst of anything.
"""

from __future__ import annotations

import signal
from collections import deque
from typing import Final

#: What ends a node.
ENDING: Final = (signal.SIGTERM, signal.SIGINT)

#: The last two say nothing to memrep, but to many programs: whoever sends one is told so.
_HEARD: Final = (*ENDING, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

#: What the kernel does by itself then is right.
_LEFT: Final = frozenset(
    [
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGABRT,
        signal.SIGKILL,
        signal.SIGSTOP,
        signal.SIGTSTP,
        signal.SIGCONT,
        signal.SIGCHLD,
        signal.SIGURG,
        signal.SIGWINCH,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGTRAP,
        signal.SIGSYS,
    ]
)


def hear() -> deque[int]:
    """Take over the signals of this process; the ones that mean something come into this queue from now on."""
    heard: deque[int] = deque(maxlen=16)
    for number in signal.valid_signals() - _LEFT:
        signal.signal(number, signal.SIG_IGN)
    for number in _HEARD:
        signal.signal(number, lambda number, frame: heard.append(number))
    return heard
