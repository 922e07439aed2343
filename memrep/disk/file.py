"""The file: what is saved of a node, in SQLite.

A row for each key would be the obvious way, and was measured (docs/decisions/022-a-log-of-segments.md): each
changed key costs a page or more of 4 KB, twice, and 40 us. So a transaction adds one row, a *segment*: all that
has changed in this second, in one piece. Of a key the latest segment counts. Now and then everything is written
anew behind the changes, bit by bit, and what is older is dropped; so the file holds twice what the node does,
and a bit.

SQLite keeps transactions whole whatever happens (its write-ahead log has checksums, and is flushed with each),
and anybody can open the file. What it does not notice is a disk that has lost what it said it had. So segments
are numbered without a gap, from `first` to `last`, and each has a checksum: what does not fit is torn.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec

from memrep import __version__
from memrep.disk.directory import FILE_MODE
from memrep.storage.saved import SavedEntry, SavedFacts

#: The file, and what SQLite keeps beside it.
NAME: Final = "memrep.db"
NAMES: Final = (NAME, f"{NAME}-wal", f"{NAME}-shm")

#: Of what is written here; what is later cannot be read.
FORMAT: Final = 1

#: A segment is a few hundred KB as a rule, in a chain of pages: large ones make it short.
_PAGE_BYTES: Final = 1 << 15

#: How many pages the log may have before it is copied into the file.
_LOG_PAGES: Final = 512

#: How many old segments a transaction drops at most, for each has to be gone through.
_DROPPED: Final = 32

_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(list[SavedEntry]).decode
_FACTS: Final = SavedFacts.__struct_fields__


class TornError(Exception):
    """The file is not what was written."""


class FormatError(Exception):
    """The file is of a later format; the text says which release has written it."""


class File:
    """An open file of what is saved.

    Args:
        path: of the file; a new one is made if there is none.

    Attributes:
        path: of the file.
        entries: how many entries are in its segments, those that have been overtaken among them.
        last: the number of the last segment.
        identity: by which the system knows the file.

    Raises:
        TornError: it is no such file, or damaged.
        FormatError: only a later release can read it.
        OSError, sqlite3.Error: it cannot be had.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = 0
        self.last = 0
        self._first = 1
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        self.identity = _identity(path)
        # The thread that writes is another one than that which has read; never both at a time.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
        with ExitStack() as given_back:
            given_back.callback(self.close)
            try:
                self._open()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                raise TornError(str(error)) from None
            given_back.pop_all()

    def _open(self) -> None:
        for pragma in (
            f"page_size={_PAGE_BYTES}",
            "journal_mode=wal",
            "synchronous=full",
            f"wal_autocheckpoint={_LOG_PAGES}",
            "temp_store=memory",
        ):
            self._db.execute(f"pragma {pragma}")
        if not self._db.execute("select count(*) from sqlite_master").fetchone()[0]:
            self._make()
        told = self._told()
        if told.get("format") != FORMAT:
            if not isinstance(told.get("format"), int) or told["format"] < FORMAT:
                raise TornError("it tells no format")
            raise FormatError(
                f"memrep {told.get('release', '?')} has written it in format {told['format']}, "
                f"this is memrep {__version__} with format {FORMAT}"
            )
        self._first, self.last, self.entries = told["first"], told["last"], told["entries"]

    def _make(self) -> None:
        with self._transaction():
            self._db.execute("create table facts (name text primary key, value) without rowid")
            self._db.execute(
                "create table segments (id integer primary key, entries integer, checksum integer, body blob)"
            )
            self._tell({"format": FORMAT, "release": __version__, "first": 1, "last": 0, "entries": 0})
            self._tell(msgspec.structs.asdict(SavedFacts()))

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)

    def _told(self) -> dict[str, Any]:
        try:
            return dict(self._db.execute("select name, value from facts"))
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                raise TornError("it is no file of memrep's") from None
            raise

    def _tell(self, facts: dict[str, Any]) -> None:
        self._db.executemany("insert or replace into facts values (?, ?)", facts.items())

    def facts(self) -> SavedFacts:
        """Return what is known beside the entries.

        Raises:
            TornError: it is damaged.
        """
        told = self._told()
        try:
            return msgspec.convert({name: told[name] for name in _FACTS}, SavedFacts, strict=False)
        except (KeyError, msgspec.ValidationError) as error:
            raise TornError(f"a fact is wrong: {error}") from None

    def read(self) -> dict[bytes, SavedEntry]:
        """Return the entries, those of which nothing is left among them.

        Raises:
            TornError: it is damaged.
        """
        found: dict[bytes, SavedEntry] = {}
        for segment in self._segments():
            for entry in segment:
                found.pop(entry.key, None)  # in the order in which they were written last
                found[entry.key] = entry
        return found

    def _segments(self) -> Iterator[list[SavedEntry]]:
        expected = self._first
        entries = 0
        try:
            for number, count, checksum, body in self._db.execute(
                "select id, entries, checksum, body from segments order by id"
            ):
                if number != expected or crc32(body) != checksum:
                    raise TornError(f"segment {expected} is missing or damaged")
                expected += 1
                entries += count
                yield _DECODE(body)
        except (sqlite3.DatabaseError, msgspec.DecodeError, TypeError) as error:
            raise TornError(str(error)) from None
        if expected != self.last + 1 or entries != self.entries:
            raise TornError(f"segment {expected} is missing")

    def append(self, entries: Sequence[SavedEntry], facts: SavedFacts, drop: int = 0) -> int:
        """Save this, all or nothing.

        Args:
            entries: what has changed; empty if nothing has.
            facts: what is known beside them.
            drop: the segments below this one are not needed any more.

        Returns:
            How many bytes the entries have.

        Raises:
            OSError, sqlite3.Error: it could not be done, and has not been.
        """
        if _identity(self.path) != self.identity:
            raise FileNotFoundError(2, "the file has been taken away", str(self.path))
        first, last, count, size = self._first, self.last, self.entries, 0
        with self._transaction():
            if entries:
                body = _encode(entries)
                size = len(body)
                last += 1
                count += len(entries)
                row = (last, len(entries), crc32(body), body)
                self._db.execute("insert into segments values (?, ?, ?, ?)", row)
            if first < drop:
                end = min(drop, first + _DROPPED)
                (gone,) = self._db.execute("select sum(entries) from segments where id < ?", (end,)).fetchone()
                self._db.execute("delete from segments where id < ?", (end,))
                first, count = end, count - (gone or 0)
            self._tell(msgspec.structs.asdict(facts))
            self._tell({"first": first, "last": last, "entries": count})
        self._first, self.last, self.entries = first, last, count
        return size

    @property
    def first(self) -> int:
        """Return the number of the first segment."""
        return self._first

    def close(self) -> None:
        """Close it."""
        self._db.close()


class _Transaction:
    """A transaction: all of what is done in it, or nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("begin immediate")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if error is None:
                self._db.execute("commit")
        finally:
            if self._db.in_transaction:  # it has failed
                self._db.execute("rollback")


def _encode(entries: Sequence[SavedEntry]) -> bytes:
    """Return the entries as a list of msgpack's; one by one, for meanwhile other threads have to wait."""
    # array 32, its length, its elements (the format's specification, "array format family").
    return b"".join((b"\xdd", len(entries).to_bytes(4, "big"), *map(_ENCODE, entries)))


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
