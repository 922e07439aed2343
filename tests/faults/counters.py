"""Counters: `incr` and `INCR` from many clients at once.

Each answered value is new, and greater than any that was answered before the request began. In the end the
value lies between the number of answers and that number plus the attempts that were not answered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from tests.faults.client import Client, Walk
from tests.faults.findings import Diary


class Counter:
    """What is known of one counter.

    Args:
        key: the key.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.diary = Diary()
        self.mutex = threading.Lock()
        self.exists = False
        self.answered: dict[int, str] = {}
        self.acknowledged = 0
        self.highest = 0
        self.unknown = 0
        self._highest: list[tuple[float, int]] = []  # since when it was which

    def judge(self, floor: int, value: int, client: str) -> str | None:
        """What is wrong with an answer to a request that began when `floor` was the highest."""
        with self.mutex:
            earlier = self.answered.get(value)
            self.answered[value] = client
            self.acknowledged += 1
            if value > self.highest:
                self.highest = value
                self._highest.append((time.monotonic(), value))
        if value <= floor:
            return f"answered {value} although {floor} had been answered before the request began"
        return f"answered {value} twice, also to {earlier}" if earlier is not None else None

    def judge_after_power_cut(self, moment: float, value: int) -> str | None:
        """What is wrong with the value if what was answered after this moment may be lost."""
        least = max((highest for since, highest in self._highest if since <= moment), default=0)
        if least <= value <= self.acknowledged + self.unknown:
            return None
        return f"is {value} after a power cut; {least} had been answered long before"

    def judge_end(self, value: int) -> str | None:
        """What is wrong with the value in the end."""
        if self.acknowledged <= value <= self.acknowledged + self.unknown:
            return None
        return f"is {value} in the end; {self.acknowledged} were answered, {self.unknown} more are unknown"


class Counting(Client):
    """Increments counters."""

    def __init__(self, *args: object, counters: Callable[[], Sequence[Counter]]) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._counters = counters

    def step(self) -> None:
        """One increment."""
        counter = self.rng.choice(self._counters())
        if not counter.exists:
            self._create(counter)
            return
        floor = counter.highest
        walk = self.request(self.choose().increment(counter.key))
        counter.diary.note(self.name, "incr", walk)
        with counter.mutex:
            counter.unknown += walk.unknown
        if walk.answered:
            self._judge(counter, floor, walk)

    def _create(self, counter: Counter) -> None:
        walk = self.add(counter.key, b"0")
        counter.diary.note(self.name, "add", walk)
        if walk.answered:
            counter.exists = True

    def _judge(self, counter: Counter, floor: int, walk: Walk) -> None:
        when = f"from {walk.begin - self.world.start:.3f} to {walk.end - self.world.start:.3f} s"
        place = f"{counter.key}: {self.name}, {when} at node {walk.node}"
        if walk.speaks.refuses(walk.reply):
            return  # which was found already
        number = walk.speaks.number(walk.reply)
        if number is None:
            self.world.found("lost", f"{place}, answered NOT_FOUND; it had been created", counter.diary)
        else:
            wrong = counter.judge(floor, number, self.name)
            if wrong is not None:
                self.world.found("counter", f"{place}, {wrong}", counter.diary)
