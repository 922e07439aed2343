"""Copies: the k-th write of a mark at one node is the k-th anywhere, whatever befalls a node in between."""

from __future__ import annotations

import attrs

from memrep.php.dedup import DELETE_MARK, DuplicateWrites, fingerprint_of
from memrep.storage.version import Clock

KEY = b"session"
MARK = fingerprint_of(0, 1440, b"what was written")

#: The window is a minute.
WINDOW_MS = 60_000

#: The cas uniques of two grants of the lock.
FIRST, SECOND = 1_000, 2_000


@attrs.define(eq=False)
class Place:
    """One node's copies, and the other nodes that hear of what it accepts."""

    number: int
    clock: Clock = attrs.field(init=False)
    duplicates: DuplicateWrites = attrs.field(init=False)
    others: list[Place] = attrs.Factory(list)

    def __attrs_post_init__(self) -> None:
        self.clock = Clock(self.number, 1_000_000, 1_000_000)
        self.duplicates = DuplicateWrites(self.clock)

    def restart(self) -> None:
        self.duplicates = DuplicateWrites(self.clock)

    def arrives(
        self, *, key: bytes = KEY, fingerprint: int = MARK, tenure: int = FIRST, original: bool = False
    ) -> bool:
        """A client's write arrives here; whether it was accepted, in which case the others hear of it."""
        former = 0 if original else self.duplicates.tenure_of(key, fingerprint)
        if former:
            self.duplicates.came(key, fingerprint, former)
            return False
        copy = self.duplicates.accepted(key, fingerprint, tenure, original=original)
        for other in self.others:
            other.duplicates.heard(key, copy)
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
    assert [place.duplicates.copies for place in places] == [0, 1, 1]


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
    for fingerprint in (
        fingerprint_of(1, 1440, b"what was written"),
        fingerprint_of(0, 1441, b"what was written"),
        fingerprint_of(0, 1440, b""),
    ):
        assert two.arrives(fingerprint=fingerprint)
    assert not two.arrives()


def test_no_set_has_the_mark_of_a_delete() -> None:
    assert DELETE_MARK % 2 == 1
    assert all(fingerprint_of(flags, 0, b"%d" % flags) % 2 == 0 for flags in range(100))


def test_a_write_that_two_nodes_accept_in_the_same_moment_counts_once() -> None:
    one, two, three = _places()
    first, second = (place.duplicates.accepted(KEY, MARK, FIRST) for place in (one, two))
    for place, copy in ((one, second), (two, first), (three, first), (three, second)):
        place.duplicates.heard(KEY, copy)
    assert not three.arrives()
    assert [place.arrives() for place in (one, two, three)] == [True, False, False]


# --- tenures


def test_the_same_content_in_a_newer_tenure_is_another_write() -> None:
    one, two, three = _places()
    assert one.arrives()
    assert not two.arrives()
    assert two.arrives(tenure=SECOND, original=True)
    assert [one.duplicates.tenure_of(KEY, MARK), three.duplicates.tenure_of(KEY, MARK)] == [SECOND, FIRST]
    assert [one.arrives(), three.arrives(), three.arrives()] == [False, False, False]
    assert [place.arrives(tenure=SECOND) for place in (one, two, three)] == [True, False, False]


def test_one_may_ask_for_the_copies_of_one_tenure_only() -> None:
    one, two, _ = _places()
    assert one.arrives()
    assert two.duplicates.tenure_of(KEY, MARK, only=FIRST) == FIRST
    assert two.duplicates.tenure_of(KEY, MARK, only=SECOND) == 0


def test_of_one_content_a_bounded_number_of_tenures_is_remembered() -> None:
    one, two, _ = _places()
    for tenure in range(1, 101):
        assert one.arrives(tenure=tenure, original=True)
    assert [two.arrives() for _ in range(20)].count(False) == 16


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
    two.duplicates.clear()
    assert two.arrives()


# --- how long


def test_a_copy_is_known_for_a_minute() -> None:
    places = _places()
    assert places[0].arrives()
    _wait(places, WINDOW_MS)
    assert not places[1].arrives()
    _wait(places, WINDOW_MS + 1)
    assert places[1].arrives()


def test_the_number_of_writes_that_are_remembered_is_bounded() -> None:
    one, two, _ = _places()
    count = 65_536
    for i in range(count):
        one.duplicates.accepted(b"key%d" % i, MARK, FIRST)
    assert one.duplicates.accepted(b"key0", MARK, FIRST) == (MARK, 2, FIRST)  # remembered, and the newest now
    one.duplicates.accepted(b"one more", MARK, FIRST)
    assert one.duplicates.accepted(b"key0", MARK, FIRST) == (MARK, 3, FIRST)
    assert one.duplicates.accepted(b"key1", MARK, FIRST) == (MARK, 1, FIRST)  # the oldest had to go
    assert len(one.duplicates._seen) == count
    assert len(two.duplicates._seen) == 0


def test_what_is_out_of_the_window_goes_as_new_writes_come() -> None:
    (one,) = _places(1)
    for i in range(10):
        one.duplicates.accepted(b"key%d" % i, MARK, FIRST)
    _wait([one], WINDOW_MS + 1)
    for i in range(10):
        one.duplicates.accepted(b"another%d" % i, MARK, FIRST)
    assert len(one.duplicates._seen) == 10


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
