"""The log of a node. Whoever reads it cannot stop the node by not listening.

A log line goes to standard error, written as log_format.py says.

Problem: whoever reads the log may read no more (a pager, a full pipe), be gone (a closed pipe), or have no room
(a full disk). A write to standard error then waits for ever or fails, and an error in the midst of a turn ends
the node: all nodes at the same moment, if their logs share a disk.

So lines are only queued here, and a thread of its own writes them. It may wait as long as it must; the queue is
bounded; what does not fit, or cannot be written, is counted, and the number is told when the next line gets
through. Whatever else prints to standard error in this process comes the same way.
"""

from __future__ import annotations

import io
import os
import select
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from memrep.daemon.journal import STDERR
from memrep.daemon.log_format import LogFormat
from memrep.daemon.threads import begin_thread
from memrep.events import LINES_LOST, STDERR_SAID, Level, Line

#: Lines that may wait to be written.
_LINES_MAX: Final = 1_000

#: How long the last lines may take when the process ends, s.
LAST_WORDS_S: Final = 0.5

#: Seconds between two tries to tell how many lines were lost.
_RETRY_S: Final = 1.0


class Log:
    """The log of one node. None of its methods ever waits for a reader, or raises.

    Args:
        form: how lines are written.
        level: what matters less than this is not told.
        fd: where the lines go.

    Attributes:
        form: see above; it may be changed at any time,
        level: and so may this.

    Raises:
        AbsentError: the system allows no thread.
    """

    def __init__(self, form: LogFormat, level: Level = Level.INFO, fd: int = STDERR) -> None:
        self.form = form
        self.level = level
        self._fd = fd
        self._lines: deque[bytes] = deque()
        self._lost = 0
        self._lost_ever = 0
        self._why = ""
        self._torn = b""  # ends the half of a line that has come through
        self._failing = False
        self._closing = False
        # Reentrant: a collection of garbage inside of `log` may log in its turn.
        self._changed = threading.Condition(threading.RLock())
        self._thread = begin_thread("log", self._run, "the log")

    def log(self, line: Line) -> None:
        """Write one line, soon, if it matters enough."""
        if line.event.level > self.level:
            return
        with suppress(MemoryError):  # no line is worth a node
            data = self.form.spell(line, datetime.now(UTC))
            with self._changed:
                if len(self._lines) < _LINES_MAX:
                    self._lines.append(data)
                else:
                    self._lose("nobody reads it")
                self._changed.notify()

    def verbose(self) -> bool:
        """Tell whether it writes lines that matter least."""
        return self.level >= Level.DEBUG

    @property
    def lost(self) -> int:
        """Return how many lines could not be written, as long as no line can be."""
        return self._lost

    @property
    def lost_ever(self) -> int:
        """Return how many lines could not be written since it began."""
        return self._lost_ever

    def close(self, patience_s: float) -> None:
        """Give what is still queued so many seconds to get through."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        sys.stderr = sys.__stderr__
        self._thread.join(patience_s)

    def capture(self) -> None:
        """Let all that Python prints to standard error come this way from now on.

        An error that nobody could take, in a thread of trio's for example, is one line and no traceback.
        """
        sys.stderr = _Stderr(self)
        sys.unraisablehook = lambda what: self.log(
            STDERR_SAID(text=f"{what.err_msg or 'nobody could take an error'}: {what.exc_value!r}")
        )
        threading.excepthook = lambda what: self.log(
            STDERR_SAID(text=f"a thread has failed: {what.exc_value!r}")
        )

    # --- the thread

    def _run(self) -> None:
        while True:
            try:
                if not self._write_next():
                    return
            except MemoryError as error:  # the next line may find some
                self._lose(repr(error))
                time.sleep(_RETRY_S)

    def _write_next(self) -> bool:
        """Write a line, or tell of those that were lost; False when there is nothing left to do."""
        with self._changed:
            while not self._lines and (self._failing or not self._lost):
                if self._closing:
                    return False
                if not self._changed.wait(_RETRY_S if self._lost else None):
                    break
            lost, why = self._lost, self._why
            data = self._lines.popleft() if self._lines else b""
        if data:
            self._failing = not self._write(data)
            if self._failing:
                self._lose("")
        elif lost:
            self._failing = not self._write(self.form.spell(LINES_LOST(lines=lost, why=why), datetime.now(UTC)))
            if not self._failing:
                with self._changed:
                    self._lost -= lost
        return True

    def _lose(self, why: str) -> None:
        with self._changed:
            self._lost += 1
            self._lost_ever += 1
            self._why = why or self._why

    def _write(self, data: bytes) -> bool:
        """Write this, however long it takes; False if it cannot be written."""
        data = self._torn + data
        begun = False
        while data:
            try:
                written = os.write(self._fd, data)
            except BlockingIOError:  # somebody else has made it so
                _wait_for_room(self._fd)
                continue
            except OSError as error:
                self._why = error.strerror or repr(error)
                if begun:
                    self._torn = b"\n"
                return False
            self._torn = b""
            begun = True
            data = data[written:]
        return True


def _wait_for_room(fd: int) -> None:
    try:
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        poll.poll(_RETRY_S * 1000)
        time.sleep(0.01)  # should that have told nothing
    except OSError:
        time.sleep(_RETRY_S)


class _Stderr(io.TextIOBase):
    """Standard error for the rest of Python: whole lines go to the log, of a traceback only what it ends in."""

    def __init__(self, journal: Log) -> None:
        self._journal = journal
        self._rest = ""
        self._in_traceback = False

    def write(self, text: str) -> int:
        """Take a piece of a line."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._in_traceback = line.startswith("Traceback ") or (self._in_traceback and line.startswith(" "))
            if line and not self._in_traceback:
                self._journal.log(STDERR_SAID(text=line))
        return len(text)


def keep_standard_files_open() -> None:
    """Let nothing else become standard input, output or error, where the caller has closed one of them.

    The kernel gives the lowest free number to what is opened next: log lines would go to a client.
    """
    with suppress(OSError):
        fd = os.open(os.devnull, os.O_RDWR)
        while fd <= STDERR:
            fd = os.dup(fd)
        os.close(fd)
