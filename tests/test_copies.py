"""Copies: the k-th write of a mark at one node is the k-th anywhere, whatever befalls a node in between."""

from __future__ import annotations

import attrs

from memrep.copies import DELETE_MARK, Copies, mark_of
from memrep.version import Clock, cas_unique

KEY = b"session"
MARK = mark_of(0, 1440, b"what was written")

#: The window is a minute; a count begins anew after half of it.
WINDOW_MS = 60_000
PAUSE_MS = 30_000


@attrs.define(eq=False)
class Place:
    """One node's copies, and the other nodes that hear of what it accepts."""

    number: int
    clock: Clock = attrs.field(init=False)
    copies: Copies = attrs.field(init=False)
    others: list[Place] = attrs.Factory(list)

    def __attrs_post_init__(self) -> None:
        self.clock = Clock(self.number, 1_000_000, 1_000_000)
        self.copies = Copies(self.clock)

    def restart(self) -> None:
        self.copies = Copies(self.clock)

    def arrives(self, *, key: bytes = KEY, mark: int = MARK, original: bool = False) -> bool:
        """A client's write arrives here; whether it was accepted, in which case the others hear of it."""
        arrival = self.copies.arrived(key, mark, original)
        if arrival.copy is None:
            return False
        version = self.clock.stamp(1)
        for other in self.others:
            other.clock.observe(version)
            other.copies.heard(key, arrival.copy, version)
        return True


def _places(count: int = 3) -> list[Place]:
    places = [Place(number) for number in range(1, count + 1)]
    for place in places:
        place.others = [other for other in places if other is not place]
    return places


def _wait(places: list[Place], ms: int) -> None:
    for place in places:
        place.clock.turn(place.clock.now + ms, place.clock.wall + ms)


def test_a_write_that_another_node_has_accepted_is_a_copy_at_every_other_one() -> None:
    places = _places()
    assert [place.arrives() for place in places] == [True, False, False]


def test_the_kth_write_at_one_node_is_the_kth_at_any_though_all_are_equal() -> None:
    one, two, three = _places()
    assert [one.arrives() for _ in range(3)] == [True] * 3
    assert [two.arrives() for _ in range(4)] == [False, False, False, True]
    assert [three.arrives() for _ in range(5)] == [False, False, False, False, True]
    assert [one.arrives() for _ in range(3)] == [False, False, True]


def test_another_key_or_flags_or_exptime_or_value_makes_another_write() -> None:
    one, two, _ = _places()
    assert one.arrives()
    assert two.arrives(key=b"another")
    for mark in (
        mark_of(1, 1440, b"what was written"),
        mark_of(0, 1441, b"what was written"),
        mark_of(0, 1440, b""),
    ):
        assert two.arrives(mark=mark)
    assert not two.arrives()


def test_no_set_has_the_mark_of_a_delete() -> None:
    assert DELETE_MARK % 2 == 1
    assert all(mark_of(flags, 0, b"%d" % flags) % 2 == 0 for flags in range(100))


def test_a_write_that_two_nodes_accept_in_the_same_moment_counts_once() -> None:
    one, two, three = _places()
    first, second = (place.copies.arrived(KEY, MARK, False).copy for place in (one, two))
    assert first is not None
    assert second is not None
    for place, copy in ((one, second), (two, first), (three, first), (three, second)):
        place.copies.heard(KEY, copy, place.clock.stamp(1))
    assert not three.arrives()
    assert [place.arrives() for place in (one, two, three)] == [True, False, False]


# --- a node in between


def test_a_node_that_restarted_in_between_knows_the_next_copy() -> None:
    one, two, three = _places()
    assert [one.arrives() for _ in range(3)] == [True] * 3
    assert [two.arrives() for _ in range(3)] == [False] * 3
    two.restart()
    assert one.arrives()
    assert not two.arrives()
    assert [three.arrives() for _ in range(4)] == [False] * 4
    assert [two.arrives(), one.arrives(), three.arrives()] == [True, False, False]


def test_what_was_there_before_a_node_was_will_not_come_to_it() -> None:
    one, two, _ = _places()
    assert [one.arrives() for _ in range(3)] == [True] * 3
    two.restart()
    assert one.arrives()  # the fourth; three of the copies had their moment while the other was down
    assert not two.arrives()
    assert two.arrives()


def test_a_node_that_restarted_and_gets_the_next_write_first_accepts_it() -> None:
    one, two, _ = _places()
    assert one.arrives()
    assert not two.arrives()
    two.restart()
    assert two.arrives()


def test_a_node_that_lost_touch_forgets_all_copies() -> None:
    one, two, _ = _places()
    assert one.arrives()
    two.copies.clear()
    assert two.arrives()


# --- how long


def test_a_copy_is_known_for_a_minute() -> None:
    places = _places()
    assert places[0].arrives()
    _wait(places, WINDOW_MS)
    assert not places[1].arrives()
    _wait(places, WINDOW_MS + 1)
    assert places[1].arrives()


def test_a_first_write_after_a_pause_begins_a_new_count_at_those_who_still_remember() -> None:
    one, two, three = _places()
    assert [one.arrives() for _ in range(3)] == [True] * 3
    assert not three.arrives()
    two.restart()
    _wait([one, two, three], PAUSE_MS + 1)
    assert two.arrives()
    assert [one.arrives(), three.arrives()] == [False, False]
    assert [three.arrives(), one.arrives(), two.arrives()] == [True, False, False]


def test_a_first_write_without_a_pause_does_not_begin_a_new_count() -> None:
    one, two, three = _places()
    assert [one.arrives() for _ in range(3)] == [True] * 3
    two.restart()
    _wait([one, two, three], PAUSE_MS)
    assert two.arrives()
    assert [three.arrives() for _ in range(3)] == [False] * 3


def test_the_number_of_writes_that_are_remembered_is_bounded() -> None:
    one, two, _ = _places()
    count = 65_536
    for i in range(count):
        one.copies.arrived(b"key%d" % i, MARK, False)
    assert one.copies.arrived(b"key0", MARK, False).copy == (MARK, 2)  # remembered, and the newest now
    one.copies.arrived(b"one more", MARK, False)
    assert one.copies.arrived(b"key0", MARK, False).copy == (MARK, 3)
    assert one.copies.arrived(b"key1", MARK, False).copy == (MARK, 1)  # the oldest had to go
    assert len(one.copies._seen) == count
    assert len(two.copies._seen) == 0


def test_what_is_out_of_the_window_goes_as_new_writes_come() -> None:
    (one,) = _places(1)
    for i in range(10):
        one.copies.arrived(b"key%d" % i, MARK, False)
    _wait([one], WINDOW_MS + 1)
    for i in range(10):
        one.copies.arrived(b"another%d" % i, MARK, False)
    assert len(one.copies._seen) == 10


# --- originals


def test_what_comes_over_the_connection_that_holds_the_lock_is_never_a_copy() -> None:
    one, two, three = _places()
    assert one.arrives()
    assert two.arrives(original=True)
    assert [one.arrives(), three.arrives(), three.arrives()] == [False, False, False]


def test_an_original_counts_the_copies_that_have_not_come_as_come() -> None:
    one, two, _ = _places()
    assert [one.arrives() for _ in range(2)] == [True] * 2
    assert two.arrives(original=True)
    assert two.arrives()
    assert [one.arrives() for _ in range(2)] == [False] * 2


# --- stamps


def test_a_copys_stamp_is_when_the_cluster_accepted_the_write_not_when_the_copy_came() -> None:
    one, two, _ = _places(3)
    arrival = one.copies.arrived(KEY, MARK, False)
    assert arrival.copy is not None
    version = one.clock.stamp(1)
    two.copies.heard(KEY, arrival.copy, version)
    two.clock.turn(two.clock.now + 5_000, two.clock.wall + 5_000)
    later = two.clock.stamp(1)
    copy = two.copies.arrived(KEY, MARK, False)
    assert copy.copy is None
    assert copy.stamp == cas_unique(version) < cas_unique(later)


def test_an_accepted_writes_stamp_is_above_all_that_the_node_has_seen_and_below_what_it_does_next() -> None:
    (one,) = _places(1)
    before = one.clock.stamp(1)
    arrival = one.copies.arrived(KEY, MARK, False)
    after = one.clock.stamp(1)
    assert cas_unique(before) <= arrival.stamp < cas_unique(after)


def test_the_latest_of_the_writes_of_a_mark_gives_the_stamp() -> None:
    one, two, _ = _places()
    versions = [one.clock.stamp(1) for _ in range(2)]
    two.copies.heard(KEY, (MARK, 2), versions[1])
    two.copies.heard(KEY, (MARK, 1), versions[0])
    assert two.copies.arrived(KEY, MARK, False).stamp == cas_unique(versions[1])
