"""The last hour of a node: a sample each twenty seconds, and never more than an hour of them."""

from __future__ import annotations

import msgspec

from memrep.node.history import History, Reading
from memrep.status.last_hour import EACH_S, SPAN_S, LastHour
from tests.harness.cluster import serving_cluster

EACH_MS = EACH_S * 1_000
SAMPLES = SPAN_S // EACH_S


class Read:
    """A history of what is set here, whose time is moved by hand.

    Attributes:
        reading: what is read for the next sample.
        reads: how often that was.
        view: the identifier of the view.
        now: the time, ms.
    """

    def __init__(self, began: int = 5_000) -> None:
        self.reading = Reading(0, 0, 0, 0, 0)
        self.reads = 0
        self.view = 1
        self.now = began
        self.history = History(began, self._read)

    def _read(self) -> Reading:
        self.reads += 1
        return self.reading

    def advance(self, ms: int, step: int = 100) -> None:
        """Let time pass, with a tick at the end of each step."""
        for _ in range(ms // step):
            self.now += step
            self.history.tick(self.now, self.view)

    def set(self, **facts: int) -> None:
        """Change what is read."""
        self.reading = self.reading._replace(**facts)

    @property
    def hour(self) -> LastHour:
        return self.history.told(self.now)


def test_at_each_sample_it_is_noted_how_much_there_is() -> None:
    read = Read()
    read.set(items=3, used=300, clients=2)
    read.advance(100)
    read.set(items=5, used=500, clients=1)
    read.advance(EACH_MS)
    hour = read.hour
    assert (hour.items, hour.used, hour.clients) == ([3, 5], [300, 500], [2, 1])
    assert hour.ages_s == [EACH_S, 0.0]


def test_between_two_samples_nothing_is_read() -> None:
    read = Read()
    read.advance(3 * EACH_MS)
    assert read.reads == 3


def test_what_is_counted_is_told_a_second() -> None:
    read = Read()
    read.advance(100)
    read.set(commands=EACH_S * 50, evictions=7)
    read.advance(EACH_MS)
    read.advance(EACH_MS)
    assert read.hour.rates == [0.0, 50.0, 0.0]
    assert read.hour.evicted == [0, 7, 0]


def test_a_rate_is_of_the_time_that_really_went_by() -> None:
    read = Read()
    read.advance(100)
    read.set(commands=600)
    read.advance(60_000, step=60_000)  # it was stopped
    assert read.hour.rates == [0.0, 10.0]


def test_counters_that_were_set_back_have_counted_from_nought_since() -> None:
    read = Read()
    read.set(commands=9_000, evictions=9_000)
    read.advance(100)
    read.set(commands=EACH_S, evictions=3)
    read.advance(EACH_MS)
    assert (read.hour.rates[-1], read.hour.evicted[-1]) == (1.0, 3)


def test_each_change_of_the_view_is_counted_once() -> None:
    read = Read()
    read.advance(100)
    for view in (2, 3):
        read.view = view
        read.advance(EACH_MS // 4)
    read.advance(EACH_MS)
    assert read.hour.views == [1, 2]


def test_after_an_hour_the_first_is_forgotten_and_no_more_is_kept() -> None:
    read = Read()
    for minute in range(70):
        read.set(items=minute)
        read.advance(60_000, step=10_000)
    hour = read.hour
    assert len(hour.items) == SAMPLES
    assert (hour.items[0], hour.items[-1]) == (10, 69)
    assert {len(samples) for samples in msgspec.structs.astuple(hour)} == {SAMPLES}


def test_what_was_before_a_long_stop_is_not_of_the_last_hour() -> None:
    read = Read()
    read.advance(60_000)
    read.now += SPAN_S * 1_000
    read.history.tick(read.now, read.view)
    assert read.hour.ages_s == [0.0]


def test_a_node_notes_of_itself_what_its_clients_do() -> None:
    cluster = serving_cluster(2)
    client = cluster.client(1)
    cluster.advance(EACH_MS)
    client.send(b"set k 0 0 1\r\nx\r\n" + b"get k\r\n" * (EACH_S * 2 - 1))
    cluster.advance(EACH_MS)
    hour = cluster.nodes[1].report.last_hour()
    assert hour.items[-1] == 1
    assert hour.used[-1] > 0
    assert max(hour.rates) == 2.0
    assert sum(hour.views) >= 1
    cluster.kill(2)
    before = sum(hour.views)
    cluster.advance(EACH_MS + 1_000)
    assert sum(cluster.nodes[1].report.last_hour().views) == before + 1
