"""The copy on disk, as a process has it: directory, file and thread; read at the start, written behind.

The directory and the thread are had once, at the start of the process. The file is read for each node that
begins here; most processes have one, for a node that has to begin anew within its process is rare.
"""

from __future__ import annotations

import gc
import sqlite3
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

import attrs

from memrep.disk.directory import Directory
from memrep.disk.file import NAME, NAMES, File, FormatError, TornError
from memrep.disk.saver import Saver
from memrep.disk.writer import BeginThread, Writer
from memrep.errors import UsageError
from memrep.events import DISK_NOT_READ, DISK_READ, DISK_TORN, Line, Tell
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.storage.saved import SavedFacts, empty_store, offset_of, restore
from memrep.storage.snapshot import Snapshot

#: For how long the end of a node waits for the disk, s.
LAST_S: Final = 5.0


@attrs.frozen(kw_only=True)
class Loaded:
    """What a node begins with.

    Attributes:
        snapshot: what was brought back; None if nothing was.
        facts: what is known beside it.
        offset: how far the time of what is saved is ahead of the monotonic clock, ms.
        ended: the keys of which something else is to be saved.
        file: the number of the last segment, and how many entries there are.
        writer: the thread that writes.
        lines: for the log.
    """

    snapshot: Snapshot | None
    facts: SavedFacts
    offset: int
    ended: set[bytes]
    file: tuple[int, int]
    writer: Writer
    lines: list[Line]

    def attach(self, node: Node, log: Tell) -> Saver:
        """Save what changes in this node from now on, which has begun with the snapshot."""
        for line in self.lines:
            log(line)
        node.feed.open(self.facts, self.offset, self.ended)
        store = node.store
        return Saver(node.feed, lambda: len(store.values) + len(store.tombstones), self.writer, log, self.file)


class DiskCopy:
    """The copy on disk of the nodes of this process.

    Args:
        path: the data directory.
        begin_thread: begins the thread that writes.

    Raises:
        UsageError: the directory cannot be had.
    """

    def __init__(self, path: str, begin_thread: BeginThread) -> None:
        with ExitStack() as given_back:
            self._directory = Directory(path)
            given_back.callback(self._directory.close)
            self._writer = Writer(begin_thread, self._reopen)
            given_back.pop_all()
        self._ahead: tuple[NodeOptions, Loaded] | None = None

    def load_ahead(self, options: NodeOptions) -> None:
        """Read what is saved before anything else is done: it may take seconds, and nobody waits yet.

        Raises:
            UsageError: it is for a later release.
        """
        self._ahead = (options, self._load(options))

    def load(self, options: NodeOptions) -> Loaded:
        """Return what is saved, for a node with these options that begins now."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] is options:
            return ahead[1]
        self._writer.wait(LAST_S)
        self._writer.take()
        return self._load(options)

    def _load(self, options: NodeOptions) -> Loaded:
        lines: list[Line] = []
        collects = gc.isenabled()
        gc.disable()  # it would walk through all that is read, again and again
        try:
            self._writer.use(None)
            try:
                return self._read(options, lines)
            except TornError as error:
                lines.append(self._set_aside(str(error)))
                return self._read(options, lines)
        except FormatError as error:
            raise UsageError(
                f"--data-dir {self._directory.path}: {error}; start that release, or move {NAME} away"
            ) from None
        except (OSError, sqlite3.Error, TornError) as error:
            # Full, read-only or dying: that costs what was saved, if no other node has it, but not the node.
            reason = getattr(error, "strerror", None) or str(error)
            lines.append(DISK_NOT_READ(path=str(self._directory.path / NAME), reason=reason))
            return self._nothing(lines)
        finally:
            if collects:
                gc.enable()

    def _read(self, options: NodeOptions, lines: list[Line]) -> Loaded:
        file = File(self._directory.path / NAME)
        with ExitStack() as given_back:
            given_back.callback(file.close)
            facts, entries = file.facts(), file.read()
            given_back.pop_all()
        now, wall = time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000
        self._writer.use(file)
        snapshot, ended = None, set[bytes]()
        if facts.time:
            store = empty_store(options.memory, options.tombstone_ms, compared=not options.alone)
            snapshot, ended = restore(entries.values(), facts, store, now, wall)
            lines.append(self._line(facts, len(store)))
        return Loaded(
            snapshot=snapshot,
            facts=facts,
            offset=offset_of(facts, now, wall),
            ended=ended,
            file=(file.last, file.entries),
            writer=self._writer,
            lines=lines,
        )

    def _nothing(self, lines: list[Line]) -> Loaded:
        """Return what a node begins with whose disk tells nothing; the thread opens the file when it can."""
        self._writer.use(None)
        now, wall = time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000
        facts = SavedFacts()
        return Loaded(
            snapshot=None,
            facts=facts,
            offset=offset_of(facts, now, wall),
            ended=set(),
            file=(0, 0),
            writer=self._writer,
            lines=lines,
        )

    def _line(self, facts: SavedFacts, entries: int) -> Line:
        saved = (facts.wall - (facts.time - facts.whole)) / 1000 if facts.whole else facts.wall / 1000
        when = datetime.fromtimestamp(saved, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        stop = "when it stopped as it was told to" if facts.in_order else ""
        return DISK_READ(entries=entries, path=str(self._directory.path / NAME), when=when, stop=stop)

    def _set_aside(self, reason: str) -> Line:
        aside = self._directory.set_aside(NAMES)
        return DISK_TORN(path=str(self._directory.path / NAME), reason=reason, aside=aside)

    def _reopen(self, identity: tuple[int, int], last: int) -> tuple[File, bool]:
        """Open the file once more, in the thread that writes; tell whether it is another one."""
        path = self._directory.path / NAME
        try:
            file = File(path)
        except (TornError, FormatError):
            self._directory.set_aside(NAMES)
            return File(path), True
        # The last transaction may have come about though it was said to have failed.
        if file.identity == identity and file.last in (last, last + 1):
            return file, False
        if file.last:
            file.close()
            self._directory.set_aside(NAMES)
            file = File(path)
        return file, True

    def close(self) -> None:
        """Give all of it back."""
        self._writer.close(LAST_S)
        self._directory.close()


class NoSaver:
    """Saves nothing."""

    failing = ""

    def describe(self) -> tuple[()]:
        """Tell nothing."""
        return ()

    def tick(self, now: float) -> None:
        """Do nothing."""

    def finish(self, seconds: float) -> None:
        """Do nothing."""


class NoneLoaded:
    """What a node begins with that has no data directory."""

    snapshot: None = None

    def attach(self, node: Node, log: Tell) -> NoSaver:
        """Save nothing."""
        return NoSaver()


class NoCopy:
    """The copy on disk of a process without a data directory."""

    def load(self, options: NodeOptions) -> NoneLoaded:
        """Bring nothing back."""
        return NoneLoaded()

    def close(self) -> None:
        """Do nothing."""
