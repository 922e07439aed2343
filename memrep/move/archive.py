"""A file of memrep's own: all items with flags and the time that each has left.

    memrep dump 1\n                       what it is, and its version
    length  JSON                          where and when it was made (Made)
    length  msgpack [name, value, flags, left_ms, database]      for each item
    0  items  SHA-256                     how many there are, and the checksum of all before it

Lengths and the number of items are 8 bytes, big-endian. It holds everybody's sessions, so nobody but its
owner may read it (0600); it gets its name when it is whole and on the disk; and nothing of it is taken before
all of it was read once and is as it was written. What is torn or changed is refused as a whole, with one
line.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

import msgspec

from memrep.errors import UsageError
from memrep.handlers.item import STORED, Item, LeftOut

_HEAD: Final = b"memrep dump 1\n"
_ANY_HEAD: Final = b"memrep dump "

_LENGTH: Final = struct.Struct(">Q")
_END: Final = struct.Struct(">Q32s")


class Made(msgspec.Struct, frozen=True):
    """Where and when a file was made.

    Attributes:
        at: seconds since 1970.
        node: the node that was asked.
        version: memrep's.
    """

    at: float
    node: str
    version: str


class ArchiveTarget:
    """Writes a file, which is there under its name only when it is finished.

    Args:
        path: its name.
        made: where and when.

    Raises:
        UsageError: it cannot be made there.
    """

    def __init__(self, path: str, made: Made) -> None:
        self._path = Path(path)
        self._items = 0
        self._sum = sha256()
        self._unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            number = os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}; name another file") from None
        self._file: IO[bytes] = os.fdopen(number, "wb")
        self._put(_HEAD)
        self._record(msgspec.json.encode(made))

    def write(self, items: list[Item]) -> list[str]:
        """Add a batch."""
        for item in items:
            self._record(msgspec.msgpack.encode(item))
        self._items += len(items)
        return [STORED] * len(items)

    def finish(self) -> None:
        """Write the checksum, and give the file its name."""
        self._put(_LENGTH.pack(0))
        self._file.write(_END.pack(self._items, self._digest(self._items)))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._unfinished.replace(self._path)

    def close(self) -> None:
        """Leave nothing behind of what is not finished."""
        self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def _record(self, data: bytes) -> None:
        self._put(_LENGTH.pack(len(data)) + data)

    def _put(self, data: bytes) -> None:
        self._sum.update(data)
        self._file.write(data)

    def _digest(self, items: int) -> bytes:
        whole = self._sum.copy()
        whole.update(_LENGTH.pack(items))
        return whole.digest()


class Archive:
    """Reads a file, which has been looked through once and is whole.

    Args:
        path: its name.
        elapsed_ms: tells from when it was made how much of the time left is over; nothing, if not given.

    Raises:
        UsageError: it cannot be read, is none, or is not as it was written.
    """

    def __init__(self, path: str, elapsed_ms: Callable[[Made], int] = lambda made: 0) -> None:
        self._path = path
        try:
            self._file: IO[bytes] = os.fdopen(os.open(path, os.O_RDONLY), "rb")
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}; name a file of `memrep dump`") from None
        self._size = os.fstat(self._file.fileno()).st_size
        with ExitStack() as stack:
            stack.callback(self.close)
            self.made, self._count = self._checked()
            stack.pop_all()
        self._elapsed_ms = elapsed_ms(self.made)

    def count(self) -> int:
        """Tell how many items there are."""
        return self._count

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self) -> Iterator[Item | LeftOut]:
        """Yield all items under their keys."""
        self._file.seek(len(_HEAD))
        decoder = msgspec.msgpack.Decoder(Item)
        records = self._records()
        next(records)
        for record in records:
            item = decoder.decode(record)
            if item.left_ms is not None and self._elapsed_ms:
                left_ms = item.left_ms - self._elapsed_ms
                if left_ms <= 0:
                    yield LeftOut("at the end of their time", is_loss=False)
                    continue
                item = msgspec.structs.replace(item, left_ms=left_ms)
            yield item

    def _checked(self) -> tuple[Made, int]:
        head = self._file.read(len(_HEAD))
        if head != _HEAD:
            if _HEAD.startswith(head):
                raise self._torn("its end is missing")
            if head.startswith(_ANY_HEAD):
                raise UsageError(
                    f"{self._path} is a dump of another version of memrep; restore it with that one"
                )
            raise UsageError(f"{self._path} is no file of `memrep dump`")
        total = sha256(_HEAD)
        count, made = 0, None
        for record in self._records():
            total.update(_LENGTH.pack(len(record)) + record)
            try:
                if made is None:
                    made = msgspec.json.decode(record, type=Made)
                    continue
                msgspec.msgpack.decode(record, type=Item)
            except msgspec.DecodeError:
                raise self._torn("a record cannot be read") from None
            count += 1
        end = self._file.read(_END.size + 1)
        total.update(_LENGTH.pack(0) + end[: _LENGTH.size])
        if made is None or len(end) != _END.size or _END.unpack(end) != (count, total.digest()):
            raise self._torn("its checksum is wrong")
        return made, count

    def _records(self) -> Iterator[bytes]:
        while length := _LENGTH.unpack(self._exactly(_LENGTH.size))[0]:
            if length > self._size:
                raise self._torn("a record cannot be that long")
            yield self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise self._torn("its end is missing")
        return data

    def _torn(self, what: str) -> UsageError:
        return UsageError(
            f"{self._path} is not as it was written: {what}; nothing was restored, take another dump"
        )
