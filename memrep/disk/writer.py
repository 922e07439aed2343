"""The thread that writes. It has one batch at a time, and tells what has become of it.

It is begun at the start of the process, as all threads are (daemon/threads.py), and is handed to this room by
who begins it. Where a disk hangs it hangs with it, and nobody else does: the loop looks at it now and then, and
never waits but at the very end.

A file that has been taken away, or that cannot be written, is opened anew with the next batch. If it is another
one then, all that the node holds has to be written again; the result of that batch says so.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import attrs
from msgspec.structs import replace

from memrep.disk.file import File, FormatError, TornError
from memrep.storage.saved import SavedEntry, SavedFacts

#: Begins a thread: its name, what it does, and who needs it.
BeginThread = Callable[[str, Callable[[], None], str], object]

#: After it has found no memory for its own doing it tries again in so long, s.
_BREATH_S: Final = 0.1

#: Of no file.
_NONE: Final = ((0, 0), 0)


@attrs.frozen(kw_only=True)
class Batch:
    """What is written in one transaction.

    Attributes:
        entries: what has changed.
        facts: what is known beside them.
        drop: the segments below this one are not needed any more.
    """

    entries: Sequence[SavedEntry]
    facts: SavedFacts
    drop: int = 0


@attrs.frozen(kw_only=True)
class Result:
    """What has become of a batch.

    Attributes:
        batch: which one.
        error: why it is not saved; empty if it is.
        anew: whether the file is another one than before, and has nothing else.
        seconds: how long it took.
        size: of the entries, bytes.
        entries: how many entries the file has now,
        first: and its first segment,
        last: and its last one.
    """

    batch: Batch
    error: str = ""
    anew: bool = False
    seconds: float = 0.0
    size: int = 0
    entries: int = 0
    first: int = 1
    last: int = 0


#: Opens the file anew. It is told the identity and the last segment of the one before, and tells if it is
#: another one.
Reopen = Callable[[tuple[int, int], int], tuple[File, bool]]


class Writer:
    """A thread that writes batches.

    Args:
        begin_thread: begins it.
        reopen: opens the file anew.

    Attributes:
        since: since when it has been at its batch, by the monotonic clock in seconds; None if it is idle.
    """

    def __init__(self, begin_thread: BeginThread, reopen: Reopen) -> None:
        self.since: float | None = None
        self._reopen = reopen
        self._file: File | None = None
        self._former = _NONE
        self._batch: Batch | None = None
        self._result: Result | None = None
        self._closing = False
        # Open while there is something to do. Nothing is allocated for a lock that is waited for.
        self._gate = threading.Lock()
        self._gate.acquire()
        self._idle = threading.Lock()  # held while there is a batch; whoever waits for its end waits here
        self._alive = threading.Lock()  # held as long as the thread lasts
        self._alive.acquire()
        begin_thread("disk", self._work, "the copy on disk")

    def use(self, file: File | None) -> None:
        """Write into this file from now on; it must be idle. None for one that is to be opened.

        What the file had before is the affair of who has read it: one that is opened is another one.
        """
        self._give_up()
        self._file, self._former = file, _NONE

    def hand(self, batch: Batch) -> None:
        """Have it write this; it must be idle, and its last result taken."""
        self._idle.acquire()
        self.since = time.monotonic()
        self._batch = batch
        self._gate.release()

    def take(self) -> Result | None:
        """Take what has become of the last batch; None if that is not known yet."""
        result, self._result = self._result, None
        return result

    def wait(self, seconds: float) -> bool:
        """Wait for so long for the end of its batch; tell whether it has come."""
        if self._idle.acquire(timeout=seconds):
            self._idle.release()
            return True
        return False

    def close(self, seconds: float) -> None:
        """Let the thread end when it has written what it has; wait for that for so long at most."""
        self._closing = True
        if self._gate.locked():
            self._gate.release()
        self._alive.acquire(timeout=seconds)

    def _work(self) -> None:
        while True:
            self._gate.acquire()
            batch = self._batch
            if batch is None:
                break  # closed; nothing was handed over
            while True:
                try:
                    result = self._write(batch)
                    break
                except MemoryError:
                    time.sleep(_BREATH_S)
            self._batch = None
            self._result = result
            self.since = None
            self._idle.release()
            if self._closing:
                break
        self._give_up()
        self._alive.release()

    def _write(self, batch: Batch) -> Result:
        began = time.monotonic()
        anew = False
        facts, drop = batch.facts, batch.drop
        try:
            if self._file is None:
                self._file, anew = self._reopen(*self._former)
            file = self._file
            if anew:  # it has nothing but this, and must not say that this is all
                facts, drop = without_rank(facts), 0
            size = file.append(batch.entries, facts, drop)
        except (OSError, sqlite3.Error, TornError, FormatError) as error:
            self._give_up()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                self._former = _NONE  # it is damaged: not to be used any more
            return Result(batch=batch, error=_reason(error), seconds=time.monotonic() - began)
        return Result(
            batch=batch,
            anew=anew,
            seconds=time.monotonic() - began,
            size=size,
            entries=file.entries,
            first=file.first,
            last=file.last,
        )

    def _give_up(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._former = (file.identity, file.last)
            with suppress(sqlite3.Error):
                file.close()


def without_rank(facts: SavedFacts) -> SavedFacts:
    """Return facts that do not say that what is saved was ever all that there was."""
    return replace(facts, gen=0, view=0, at=0, whole=0, in_order=False)


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return str(strerror or error or type(error).__name__)
