"""SEAM: what a node is given by the shell that drives it: time, chance, a log, and what a process knows.

A node does no I/O, so everything that comes from outside of it is handed in. The daemon hands in real clocks
and real randomness, the simulator both out of one seed; what only a process can tell is left out by whoever has
none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from memrep.events import Tell
from memrep.storage.snapshot import Snapshot

Lines = Iterable[tuple[str, object]]


def nothing_known() -> Lines:
    """Return what there is to tell of no process."""
    return []


@attrs.frozen(kw_only=True)
class Start:
    """One start of a node.

    Attributes:
        inc: its incarnation: a random number of 62 bits or so, by which the others know one start from another.
        now: the monotonic clock, ms.
        wall: the wall clock, ms since 1970.
        snapshot: what an earlier start has left on the disk, if anything.
    """

    inc: int
    now: int
    wall: int
    snapshot: Snapshot | None = None


@attrs.frozen(kw_only=True)
class ProcessInfo:
    """What only the shell's process knows.

    Attributes:
        process: (name, value) lines on the process: pid, rusage, connections.
        settings: the options as the operator gave them.
        connections: (name, value) lines on each connection.
        spent: whether this turn has lasted long enough. Asked between commands, messages and connections; what
            has not begun then is left to the next turn.
        clients: how many are connected,
        clients_max: and how many may be; 0 if that is not known.
        log_lost: how many lines of the log could not be written.
        reload_refused: why options that were read anew last will not do; empty if they were taken.
        disk_trouble: why what the node holds cannot be saved on disk; empty if it can, or is not to be.
        old_store_silent: which servers of the old store are not asked now, and why; empty if all are.
        memory: how much is taken of what the kernel lets this process have, and how much that is, bytes: 0 if
            there is no limit. None if it cannot be told now.
    """

    process: Callable[[], Lines] = nothing_known
    settings: Callable[[], Lines] = nothing_known
    connections: Callable[[], Lines] = nothing_known
    spent: Callable[[], bool] = lambda: False
    clients: Callable[[], int] = lambda: 0
    clients_max: Callable[[], int] = lambda: 0
    log_lost: Callable[[], int] = lambda: 0
    reload_refused: Callable[[], str] = lambda: ""
    disk_trouble: Callable[[], str] = lambda: ""
    old_store_silent: Callable[[], str] = lambda: ""
    memory: Callable[[], tuple[int, int] | None] = lambda: None


@attrs.frozen(kw_only=True)
class Shell:
    """What drives a node, as the node sees it.

    Attributes:
        random_bytes: gives that many random bytes, which must not be foreseeable.
        log: takes one line for each change of state.
        process: what only the process knows.
        set_verbosity: carries out `verbosity`.
        shutdown: ends the program on a client's `shutdown`; None if that is not enabled.
        look_up: has a key looked for in the old store, for which the node waits (engine/fallback.py).
    """

    random_bytes: Callable[[int], bytes]
    log: Tell = lambda line: None
    process: ProcessInfo = attrs.Factory(ProcessInfo)
    set_verbosity: Callable[[int], None] = lambda level: None
    shutdown: Callable[[], None] | None = None
    look_up: Callable[[bytes], None] = lambda key: None
