"""What is not here is looked for elsewhere once, taken over where nothing is, and what was ended stays so."""

from __future__ import annotations

import pytest

from memrep.engine import fallback
from memrep.engine.fallback import Elsewhere, FallbackEngine, Found
from memrep.engine.future import Future
from memrep.engine.item_limit import ItemLimit
from memrep.engine.operations import DELETED, NOT_FOUND, NOT_STORED, STORED, TOUCHED, Result
from memrep.storage.entry import NEVER, Entry
from memrep.storage.store import TOMBSTONE_MS
from memrep.storage.version import ZERO
from tests.harness.engine_fixture import NOW, Rig


class Stage(Rig):
    """An engine with an elsewhere that answers when the test says so."""

    def __init__(self, replicator: str = "alone", lifetime_ms: int = 0) -> None:
        super().__init__(replicator)
        old, keyspace = self.engine, self.engine.keyspace
        elsewhere = Elsewhere(lambda key: key.startswith(b"s"), 200, lifetime_ms)
        self.wanted: list[bytes] = []
        self.engine: FallbackEngine = FallbackEngine(
            keyspace, self.counters, old.memory_limit, ItemLimit(100_000), elsewhere, self.wanted.append
        )

    def wake(self) -> None:
        """The end of a turn in which the node serves."""
        self.later.wake()

    def found(self, key: bytes, found: Found | None) -> None:
        self.engine.found(key, found)
        self.wake()

    def advance(self, ms: int) -> None:
        super().advance(ms)
        self.engine.tick()
        self.wake()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def pending(result: Result | Future) -> Future:
    assert isinstance(result, Future) and not result.settled
    return result


def value(result: Result | Future) -> bytes | None:
    if isinstance(result, Future):
        assert result.settled
        result = result.result
    return result.value if isinstance(result, Entry) else None


def test_a_read_waits_for_what_is_elsewhere_and_shows_it_with_flags_and_time(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    assert stage.wanted == [b"s1"]
    stage.found(b"s1", Found(b"cart", 2, 5_000))
    entry = read.result
    assert isinstance(entry, Entry)
    assert (entry.value, entry.flags, entry.expires) == (b"cart", 2, NOW + 5_000)
    assert value(stage.engine.get(b"s1")) == b"cart"
    assert stage.wanted == [b"s1"]
    assert (stage.counters.get_hits, stage.counters.get_misses) == (2, 0)


def test_what_lives_for_ever_there_does_so_here(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    stage.found(b"s1", Found(b"cart"))
    assert isinstance(read.result, Entry) and read.result.expires == NEVER


def test_all_who_ask_meanwhile_wait_for_one_search(stage: Stage) -> None:
    reads = [pending(stage.engine.get(b"s1")) for _ in range(3)]
    assert stage.wanted == [b"s1"]
    stage.found(b"s1", Found(b"cart"))
    assert [value(read) for read in reads] == [b"cart"] * 3


def test_what_is_not_there_is_a_miss_and_not_looked_for_again_for_a_while(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    stage.found(b"s1", None)
    assert (read.settled, read.result) == (True, None)
    assert stage.engine.get(b"s1") is None
    assert stage.wanted == [b"s1"]
    stage.advance(fallback.ABSENT_MS)
    pending(stage.engine.get(b"s1"))
    assert stage.wanted == [b"s1", b"s1"]


def test_it_is_known_of_a_bounded_number_of_keys_that_they_are_not_there(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallback, "ABSENT_MAX", 10)
    for number in range(30):
        stage.engine.get(b"s%d" % number)
        stage.found(b"s%d" % number, None)
    stage.advance(1)
    assert stage.engine.get(b"s29") is None
    pending(stage.engine.get(b"s0"))


def test_a_bounded_number_of_keys_is_looked_for_at_a_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallback, "ASKED_MAX", 2)
    for number in range(2):
        pending(stage.engine.get(b"s%d" % number))
    assert stage.engine.get(b"s2") is None
    pending(stage.engine.get(b"s1"))


def test_a_key_that_cannot_be_there_is_not_looked_for(stage: Stage) -> None:
    assert stage.engine.get(b"counter") is None
    assert stage.engine.add(b"counter", 0, NEVER, b"1") is STORED
    assert stage.wanted == []


def test_without_an_answer_in_time_it_is_a_miss_and_looked_for_at_the_next(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    stage.advance(199)
    assert not read.settled
    stage.advance(1)
    assert (read.settled, read.result) == (True, None)
    stage.found(b"s1", Found(b"late"))  # what PHP writes now counts
    pending(stage.engine.get(b"s1"))
    assert stage.wanted == [b"s1", b"s1"]
    assert stage.engine.tally.unanswered == 1


def test_who_gets_no_answer_at_all_goes_on_at_once(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    stage.engine.unanswered(b"s1")
    stage.wake()
    assert (read.settled, read.result) == (True, None)


def test_nothing_is_executed_before_the_node_may_serve(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    stage.engine.found(b"s1", Found(b"cart"))
    assert not read.settled and stage.store.peek(b"s1") is None
    stage.wake()
    assert value(read) == b"cart"


def test_a_plain_set_waits_for_nothing_and_stands(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    assert stage.engine.set(b"s1", 0, NEVER, b"new") is STORED
    stage.found(b"s1", Found(b"old"))
    assert value(read) == b"new"
    assert stage.engine.tally.taken == 0


def test_whoever_changes_what_is_there_waits_and_finds_it(stage: Stage) -> None:
    engine = stage.engine
    outcomes = [
        pending(engine.add(b"s1", 0, NEVER, b"x")),
        pending(engine.touch(b"s2", NOW + 9_000)),
        pending(engine.incr(b"s3", 1)),
        pending(engine.decr(b"s4", 1)),
        pending(engine.append(b"s5", b"!")),
        pending(engine.get_and_touch(b"s6", NEVER)),
        pending(engine.modify(b"s7", lambda entry: entry)),
    ]
    for number in range(1, 8):
        stage.found(b"s%d" % number, Found(b"7"))
    results = [outcome.result for outcome in outcomes]
    assert results[:5] == [NOT_STORED, TOUCHED, b"8", b"6", STORED]
    assert [value(result) for result in results[5:]] == [b"7", b"7"]


def test_strict_modes_question_whether_a_name_is_known_is_answered_by_what_is_elsewhere(stage: Stage) -> None:
    """php-memcached adds something that is dead at once, and takes a refusal for a yes."""
    known = pending(stage.engine.add(b"s1", 0, NOW - 1, b""))
    stage.found(b"s1", Found(b"cart"))
    assert known.result is NOT_STORED
    unknown = pending(stage.engine.add(b"s2", 0, NOW - 1, b""))
    stage.found(b"s2", None)
    assert unknown.result is STORED


def test_what_is_deleted_here_does_not_come_back(stage: Stage) -> None:
    deleted = pending(stage.engine.delete(b"s1"))
    stage.found(b"s1", Found(b"cart"))
    assert deleted.result is DELETED
    assert stage.engine.get(b"s1") is None
    assert stage.wanted == [b"s1"]


def test_what_is_deleted_while_it_is_looked_for_does_not_come_back(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    assert stage.engine.set(b"s1", 0, NEVER, b"x") is STORED
    assert stage.engine.delete(b"s1") is DELETED
    stage.found(b"s1", Found(b"cart"))
    assert (read.settled, read.result) == (True, None)


def test_a_logout_counts_though_nobody_answers_whether_there_was_a_session(stage: Stage) -> None:
    deleted = pending(stage.engine.delete(b"s1"))
    stage.engine.unanswered(b"s1")
    stage.wake()
    assert deleted.result is NOT_FOUND
    assert stage.engine.get(b"s1") is None
    assert stage.wanted == [b"s1"]


def test_what_is_known_not_to_be_there_leaves_no_tombstone(stage: Stage) -> None:
    deleted = pending(stage.engine.delete(b"s1"))
    stage.found(b"s1", None)
    assert deleted.result is NOT_FOUND
    assert stage.store.peek(b"s1") is None
    assert stage.engine.delete(b"counter") is NOT_FOUND


@pytest.mark.parametrize("is_swept", [False, True])
def test_what_has_run_out_here_may_live_on_there(stage: Stage, is_swept: bool) -> None:
    stage.engine.set(b"s1", 0, NOW + 100, b"x")
    stage.advance(100)
    if is_swept:
        stage.store.sweep(stage.clock.now)
        assert len(stage.store.tombstones) == 1
    read = pending(stage.engine.get(b"s1"))
    stage.found(b"s1", Found(b"cart"))
    assert value(read) == b"cart"


def test_nothing_comes_back_after_a_flush_of_everything(stage: Stage) -> None:
    stage.engine.flush.now()
    assert stage.engine.get(b"s1") is None
    assert stage.wanted == []


@pytest.mark.parametrize(("lifetime_ms", "left_ms"), [(TOMBSTONE_MS * 3, 1_000), (0, TOMBSTONE_MS * 3)])
def test_a_tombstone_outlives_what_may_be_elsewhere(lifetime_ms: int, left_ms: int) -> None:
    stage = Stage(lifetime_ms=lifetime_ms)
    pending(stage.engine.get(b"s1"))
    stage.found(b"s1", Found(b"cart", 0, left_ms))
    assert stage.engine.delete(b"s1") is DELETED
    tombstone = stage.store.peek(b"s1")
    assert tombstone is not None and tombstone.expires == NOW + 3 * TOMBSTONE_MS


def test_what_is_too_large_is_not_taken_over_and_counted(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    stage.found(b"s1", Found(b"x" * 200_000))
    assert (read.settled, read.result, stage.engine.tally.refused) == (True, None, 1)


def test_a_client_that_is_gone_gets_nothing_done(stage: Stage) -> None:
    added = pending(stage.engine.add(b"s1", 0, NEVER, b"x"))
    added.abandoned = True
    stage.found(b"s1", None)
    assert not added.settled and stage.store.peek(b"s1") is None


def test_nothing_is_looked_for_when_there_is_nothing_elsewhere_any_more(stage: Stage) -> None:
    read = pending(stage.engine.get(b"s1"))
    stage.engine.elsewhere = None
    stage.advance(1)
    assert (read.settled, read.result) == (True, None)
    assert stage.engine.get(b"s2") is None
    assert stage.wanted == [b"s1"]


# --- with other nodes


def test_it_is_shown_when_all_nodes_hold_it() -> None:
    stage = Stage("later")
    read = pending(stage.engine.get(b"s1"))
    stage.found(b"s1", Found(b"cart"))
    assert not read.settled
    assert pending(stage.engine.get(b"s1"))
    assert stage.wanted == [b"s1"]
    stage.later.succeed()
    assert value(read) == b"cart"


def test_of_two_nodes_that_have_found_it_one_wins() -> None:
    stage = Stage("later")
    read = pending(stage.engine.get(b"s1"))
    stage.found(b"s1", Found(b"cart"))
    stage.later.fail(Entry(ZERO, b"theirs", 0, NEVER))
    assert value(read) == b"theirs"
    assert stage.engine.tally.taken == 0
