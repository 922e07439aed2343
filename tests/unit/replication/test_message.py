"""Messages: an entry that travels is the same entry at the other end, with the time that it has left."""

from __future__ import annotations

import pytest

from memrep.replication.message import FOREVER, describe
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import make

VERSION = make(3, 4)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(VERSION, b"v", 5, NEVER),
        Entry(VERSION, b"", 0, 1_500, 9),
        Entry(VERSION, None, 0, 3_600_000),
        Entry(VERSION, None, 1, 10_000),
    ],
)
def test_an_entry_travels_whole_between_nodes_with_one_clock(entry: Entry) -> None:
    assert describe(b"k", entry, None, False, 1_000).entry(1_000) == entry


def test_what_travels_is_the_time_left_and_not_the_time_of_day() -> None:
    write = describe(b"k", Entry(VERSION, b"v", 0, 1_500), None, False, 1_000)
    assert write.ttl == 500
    assert write.entry(70_000).expires == 70_500


def test_what_never_expires_never_does_on_any_clock() -> None:
    write = describe(b"k", Entry(VERSION, b"v", 0, NEVER), None, False, 1_000)
    assert write.ttl == FOREVER
    assert write.entry(70_000).expires == NEVER


def test_what_has_run_out_has_no_time_left_and_does_not_become_eternal() -> None:
    write = describe(b"k", Entry(VERSION, b"v", 0, 999), None, False, 1_000)
    assert write.ttl == 0
    assert write.entry(5_000).expires == 5_000
