"""Which answers to a read are right, for a key that one client writes.

The writer numbers its writes and deletes; the number is in the value. A write that was answered is a *floor*:
no read that begins afterwards may show an older one. One that was not answered may have happened or not, until
something later is known to stand. A value that was read is known to stand too, so it is a floor as well. A miss
is right while one of the operations from the floor on is a delete.

What is below the floor is *stale*, or *resurrected* if a delete lies between; a miss without a delete is
*lost*.
"""

from __future__ import annotations

import threading
import time

from tests.faults.findings import Diary


class Ledger:
    """What has been written to one key.

    Args:
        key: the key.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.diary = Diary()
        self._mutex = threading.Lock()
        self._values: list[bytes | None] = [
            None
        ]  # by number; None is a delete, and before anything there was nothing
        self._floor = 0
        self._floors: list[tuple[float, int]] = [(0.0, 0)]  # since when it was which

    def write(self, filler: str) -> bytes:
        """The value to write next, which is counted as begun."""
        with self._mutex:
            value = f"{self.key}:{len(self._values)}:{filler}".encode()
            self._values.append(value)
            return value

    def delete(self) -> None:
        """The next operation is a delete, and has begun."""
        with self._mutex:
            self._values.append(None)

    @property
    def latest(self) -> int:
        """The number of the latest operation that has begun."""
        return len(self._values) - 1

    def acknowledged(self) -> None:
        """The latest operation was answered."""
        self._stands(self.latest)

    def _stands(self, number: int) -> None:
        """This operation is known to stand."""
        if number > self._floor:
            self._floor = number
            self._floors.append((time.monotonic(), number))

    def set_back(self, moment: float) -> None:
        """What was not known to stand at this moment may be lost: power has failed in all nodes."""
        with self._mutex:
            self._floors = [(since, floor) for since, floor in self._floors if since <= moment]
            self._floor = self._floors[-1][1]

    def wiped(self) -> None:
        """All nodes were gone at the same time: the key is as if deleted."""
        self.delete()
        self.acknowledged()

    @property
    def floor(self) -> int:
        """To be asked when a read begins: the oldest number that it may show."""
        return self._floor

    def judge(self, floor: int, value: bytes | None) -> tuple[str, str] | None:
        """What is wrong with a read that began when the floor was `floor`: kind and text; None if right."""
        with self._mutex:
            if value is None:
                return self._judge_miss(floor)
            number = self._number(value)
            if number is None:
                return "other", f"read {value[:60]!r}, which nobody wrote there"
            if number < floor:
                between = self._values[number + 1 : floor + 1]
                kind = "resurrected" if None in between else "stale"
                return (
                    kind,
                    f"read number {number}; {self._told(floor)} was known to stand before the read began",
                )
            self._stands(number)
            return None

    def _judge_miss(self, floor: int) -> tuple[str, str] | None:
        for number in range(floor, len(self._values)):
            if self._values[number] is None:
                self._stands(number)
                return None
        return "lost", f"missed; {self._told(floor)} was known to stand before the read began"

    def _number(self, value: bytes) -> int | None:
        parts = value.split(b":", 2)
        if len(parts) != 3 or not parts[1].isdigit():
            return None
        number = int(parts[1])
        return number if number < len(self._values) and self._values[number] == value else None

    def _told(self, number: int) -> str:
        return f"{'delete' if self._values[number] is None else 'write'} number {number}"
