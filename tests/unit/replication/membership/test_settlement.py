"""Settlement: what the votes make of the writes in flight, and whose data a view starts from (rule M7)."""

from __future__ import annotations

import pytest

from memrep.replication.membership.history import ANSWERED, NOTHING, TOLD_HERE, WRITTEN, activity_of, happened
from memrep.replication.membership.settlement import settle
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.view import View
from memrep.replication.membership.view_id import make_vid
from memrep.replication.message import Install, Past, Vote, Write, describe
from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSH_KEY, flush_key
from memrep.storage.version import ZERO, Clock, Version, cas_unique, generation, make

VID = make_vid(9, 1)


def _write(stamp: int, *, plain: bool, value: bytes = b"v", key: bytes = b"k", cas: int = 0) -> Write:
    base = None if plain else make(1, 1)
    return describe(key, Entry(make(1, stamp), value, 0, NEVER, cas), base, False, 0)


def _vote(
    *pending: Write,
    full: bool = True,
    gen: int = 1,
    last: int | None = None,
    records: int = 5,
    logical: int = 0,
    horizon: Version = ZERO,
    activity: int = NOTHING,
    past: Past | None = None,
    apart: int = 0,
    parted: bool = False,
) -> Vote:
    return Vote(
        VID,
        gen,
        64 * gen if last is None else last,
        full,
        list(pending),
        logical,
        horizon,
        records,
        past=happened(past or Past({make_vid(gen, 1): [99]}, parted=parted and 64), activity),
        apart=apart,
    )


def _settle(*votes: Vote, configured: int = 3, before: View | None = None) -> Install:
    members = dict.fromkeys(range(1, len(votes) + 1), 7)
    return settle(VID, members, dict(enumerate(votes, 1)), configured, Clock(1, 0, 100), before or View())


def _chosen(install: Install) -> dict[bytes, bytes | None]:
    return {settled.write.key: settled.write.value for settled in install.settled}


def test_the_plain_write_stands_over_a_newer_read_modify_write() -> None:
    install = _settle(
        _vote(_write(90, plain=False, value=b"rmw")), _vote(_write(10, plain=True, value=b"plain"))
    )
    assert _chosen(install) == {b"k": b"plain"}


def test_of_two_plain_writes_the_higher_version_stands() -> None:
    one, other = _write(10, plain=True, value=b"old"), _write(20, plain=True, value=b"new")
    assert _chosen(_settle(_vote(one), _vote(other))) == {b"k": b"new"}
    assert _chosen(_settle(_vote(other), _vote(one))) == {b"k": b"new"}


def test_of_two_read_modify_writes_the_higher_version_stands() -> None:
    one, other = _write(10, plain=False, value=b"old"), _write(20, plain=False, value=b"new")
    assert _chosen(_settle(_vote(one), _vote(other))) == {b"k": b"new"}


@pytest.mark.parametrize(
    ("dead", "base", "first"),
    [
        (False, None, "flush"),
        (True, 5, "flush"),  # SETNX, INCR of what the flush has ended
        (False, 25, "flush"),  # of what was written behind the flush
        (False, 5, "write"),  # of what the flush ends, by who did not know of it (finding 17)
    ],
)
def test_what_was_stamped_behind_a_flush_is_settled_behind_it_unless_it_was_computed_from_what_that_ends(
    dead: bool, base: int | None, first: str
) -> None:
    flush = describe(FLUSH_KEY, Entry(make(1, 20), b"flush", 0, NEVER), make(1, 3), False, 0)
    based = None if base is None else make(1, base)
    write = describe(b"k", Entry(make(1, 30), b"v", 0, NEVER), based, dead, 0)
    for votes in ((flush, write), (write, flush)):
        keys = [settled.write.key for settled in _settle(_vote(*votes)).settled]
        assert keys == ([FLUSH_KEY, b"k"] if first == "flush" else [b"k", FLUSH_KEY])


def test_what_was_stamped_before_a_flush_is_settled_before_it() -> None:
    flush = describe(FLUSH_KEY, Entry(make(1, 20), b"flush", 0, NEVER), None, False, 0)
    keys = [s.write.key for s in _settle(_vote(flush, _write(10, plain=True))).settled]
    assert keys == [b"k", FLUSH_KEY]


def _flush(stamp: int, key: bytes = FLUSH_KEY) -> Write:
    return describe(key, Entry(make(1, stamp), b"flush", 0, NEVER), None, False, 0)


def _before(*members: int, vid: int = 64) -> View:
    return View(vid=vid, gen=1, members=dict.fromkeys(members, 7))


#: As node 3 stamps.
_BY_3 = 64 * 20 + 3


def test_a_flush_keeps_its_version_if_only_who_made_it_is_away() -> None:
    """It may have been answered, and what was written behind it may be committed: that must not be ended."""
    (flush,) = _settle(_vote(_flush(_BY_3)), _vote(_flush(_BY_3)), before=_before(1, 2, 3)).settled
    assert flush.write.version == make(1, _BY_3)


def test_what_a_flush_ends_that_keeps_its_version_keeps_its_own_too_and_what_stands_behind_does_not() -> None:
    older, newer = _write(_BY_3 - 64, plain=True), _write(_BY_3 + 64, plain=True, key=b"new")
    based = describe(b"based", Entry(make(1, _BY_3 - 64), b"v", 0, NEVER), make(1, 5), False, 0)
    unknowing = describe(b"unknowing", Entry(make(1, _BY_3 + 64), b"v", 0, NEVER), make(1, 5), False, 0)
    settled = _settle(_vote(_flush(_BY_3), older, newer, based, unknowing), before=_before(1, 3)).settled
    versions = {one.write.key: one.write.version for one in settled}
    # Some member may have committed these two.
    assert versions[b"k"] == versions[b"based"] == make(1, _BY_3 - 64)
    assert versions[b"unknowing"] == make(1, _BY_3), "it is ended by that, wherever it was based on something"
    assert versions[b"new"] > make(1, _BY_3 + 64)


def test_a_flush_of_one_namespace_ends_nothing_of_another() -> None:
    older = _write(_BY_3 - 64, plain=True)
    settled = _settle(_vote(_flush(_BY_3, flush_key(2)), older), before=_before(1, 3)).settled
    versions = {one.write.key: one.write.version for one in settled}
    assert versions[flush_key(2)] == make(1, _BY_3)
    assert versions[b"k"] > make(1, _BY_3 + 64)


def test_a_flush_that_its_maker_has_done_with_keeps_its_version_whoever_is_away() -> None:
    votes = _vote(_flush(64 * 20 + 2)), _vote()
    (flush,) = _settle(*votes, configured=5, before=_before(1, 2, 3, 4)).settled
    assert flush.write.version == make(1, 64 * 20 + 2)


@pytest.mark.parametrize(
    ("maker", "before"),
    [
        (3, _before(1, 2, 3, 4)),  # node 4 may not have it, so nobody was told
        (2, _before(1, 2, 3)),  # nor has node 3, perhaps; its maker waits for it
        (3, _before(1, 2, 3, vid=128)),  # who was in the view in which it was made nobody knows
        (3, View()),
    ],
)
def test_a_flush_that_nobody_can_have_been_told_of_outranks_what_an_isolated_node_writes(
    maker: int, before: View
) -> None:
    write = _flush(64 * 20 + maker)
    (flush,) = _settle(_vote(write), _vote(write), configured=5, before=before).settled
    assert flush.write.version > make(1, _BY_3 + 64)


def test_every_key_in_flight_anywhere_is_settled_once_with_its_origin() -> None:
    a, b = _write(10, plain=True, key=b"a"), _write(11, plain=False, key=b"b")
    install = _settle(_vote(a), _vote(a, b))
    assert {(s.write.key, s.origin) for s in install.settled} == {(b"a", make(1, 10)), (b"b", make(1, 11))}
    assert len(install.settled) == 2


def test_what_is_settled_is_a_plain_write_in_the_new_generation_above_all_that_anybody_has_seen() -> None:
    install = _settle(_vote(_write(10, plain=False)), _vote(logical=1 << 50))
    (settled,) = install.settled
    assert settled.write.base is None
    assert generation(Version(settled.write.version)) == 9
    assert cas_unique(Version(settled.write.version)) >> 6 > 1 << 50


def test_a_settled_write_keeps_the_cas_unique_that_it_had_in_flight() -> None:
    (settled,) = _settle(_vote(_write(10, plain=True)), _vote()).settled
    assert settled.write.cas == 10
    (touched,) = _settle(_vote(_write(10, plain=True, cas=4)), _vote()).settled
    assert touched.write.cas == 4


def test_the_writes_of_voters_that_are_not_full_do_not_count() -> None:
    install = _settle(_vote(), _vote(_write(10, plain=True), full=False))
    assert install.settled == []
    assert install.full == [1]


def test_only_the_full_voters_of_the_latest_view_count() -> None:
    lost = _write(90, plain=True, value=b"lost")
    install = _settle(
        _vote(lost, last=64), _vote(_write(10, plain=True, value=b"kept"), last=128), _vote(last=128)
    )
    assert install.full == [2, 3]
    assert _chosen(install) == {b"k": b"kept"}


def test_of_views_without_a_majority_the_one_with_clients_is_the_start_and_all_of_it() -> None:
    busy, its_mate, idle = _vote(last=64, activity=WRITTEN), _vote(last=64), _vote(last=128)
    install = _settle(its_mate, busy, idle, configured=6)
    assert install.full == [1, 2]
    assert install.yields == [3]


def test_who_has_parted_from_the_others_comes_after_what_they_had_in_common() -> None:
    """Node 1 was stopped meanwhile; what it has written for clients, node 2 has as well."""
    assert _settle(_vote(last=64, activity=WRITTEN), _vote(last=128, parted=True), configured=4).full == [2]


def test_where_both_sides_have_clients_no_member_of_either_yields() -> None:
    one, its_mate = _vote(last=64, activity=WRITTEN), _vote(last=64)
    other, another = _vote(last=128, activity=WRITTEN), _vote(last=128)
    install = _settle(one, its_mate, other, another, configured=8)
    assert install.full == [3, 4]
    assert install.yields == []


def test_where_nobody_has_clients_the_side_with_the_older_view_yields() -> None:
    assert _settle(_vote(last=64), _vote(last=128), configured=4).yields == [1]


@pytest.mark.parametrize(
    ("older", "later", "full", "yields"),
    [
        (TOLD_HERE, NOTHING, 1, [2]),
        (ANSWERED, TOLD_HERE, 1, [2]),
        (WRITTEN, ANSWERED, 1, [2]),
        (TOLD_HERE, TOLD_HERE, 2, []),
        (ANSWERED, ANSWERED, 2, []),
        (TOLD_HERE, WRITTEN, 2, [1]),
        (NOTHING, NOTHING, 2, [1]),
    ],
)
def test_the_side_comes_first_on_which_more_has_happened(
    older: int, later: int, full: int, yields: list[int]
) -> None:
    """What was in flight at the cut may be stored for whoever was told anything, though nothing was written."""
    votes = _vote(last=64, activity=older), _vote(last=128, activity=later)
    install = _settle(*votes, configured=4)
    assert (install.full, install.yields) == ([full], yields)
    assert activity_of(install.past) == max(older, later), "their data are joined"


def test_a_side_stands_apart_since_the_first_view_without_a_majority_until_all_are_in_one_with_one() -> None:
    state = ReplicaState(1, 7, 4)
    alone = _settle(_vote(logical=50), configured=4)
    later = _settle(_vote(logical=70, apart=alone.apart), _vote(logical=90), configured=4)
    assert (alone.apart, later.apart) == (50, 50)
    whole = _settle(_vote(logical=95, apart=50), *[_vote(logical=60)] * 3, configured=4)
    state.install(whole)
    assert state.apart == whole.apart > 0, "some member may never have been in it"
    state.confirmed()
    assert state.apart == 0


HALF = make_vid(9, 1)


def _half() -> Vote:
    """Of one who is in a majority's view, of which it knows no more than that it was formed of these."""
    return _vote(gen=9, last=HALF, past=Past({make_vid(8, 1): [1, 2, 3, 4], HALF: [1, 2, 3]}))


def _others(stood: dict[int, dict[int, int]]) -> Vote:
    """Of one of the generation before, who has clients, and knows this of processes."""
    return _vote(gen=8, last=128, activity=WRITTEN, past=Past({make_vid(8, 1): [1, 2, 3, 4]}, stood))


@pytest.mark.parametrize("gen", [7, 8])
def test_a_view_that_one_of_its_members_never_installed_makes_nobody_newer(gen: int) -> None:
    """That process has voted for a later one since, as one of an older generation; be it gone by now."""
    install = _settle(_half(), _others({gen: {3: HALF + 1}}), configured=4)
    assert (install.full, install.yields) == ([2], [1])
    assert install.gen == 9, "what was settled in it stays newer than what was before"


@pytest.mark.parametrize(
    "stood",
    [
        {},
        {8: {4: make_vid(10, 4)}},  # was no member
        {8: {3: HALF}},  # has voted for this very view
        {8: {3: HALF - 1}},
        {9: {3: make_vid(10, 4)}},  # was in it before it voted for a later one
    ],
)
def test_a_view_of_which_nobody_knows_that_a_member_was_never_in_it_counts(
    stood: dict[int, dict[int, int]],
) -> None:
    assert _settle(_half(), _others(stood), configured=4).full == [1]


@pytest.mark.parametrize(("stood", "full"), [({8: {3: HALF + 1}}, [1]), ({}, [2])])
def test_what_happened_before_a_view_counts_if_that_has_begun_nothing(
    stood: dict[int, dict[int, int]], full: list[int]
) -> None:
    """Else what has happened since counts: both sides were in that view, or as good as that."""
    begun = {make_vid(8, 1): [1, 2, 3, 4], HALF: [1, 2, 3]}
    busy = _vote(gen=9, last=128, past=Past(begun, {}, {make_vid(8, 1): WRITTEN}))
    other = _vote(gen=9, last=192, activity=TOLD_HERE, past=Past(begun, stood))
    assert _settle(busy, other, configured=4).full == full


def test_what_is_known_of_generations_is_handed_on_with_the_data() -> None:
    """And what the other side knew of processes; but not its generations, for its data are left behind."""
    loser = _vote(gen=7, past=Past({make_vid(7, 1): [5]}, {7: {6: make_vid(8, 2)}, 8: {3: 1}}))
    install = _settle(_half(), loser, configured=4)
    assert install.past == Past(_half().past.begun, {7: {6: make_vid(8, 2)}, 8: {3: 1}})
    assert not install.quorate


def test_a_majoritys_view_may_begin_a_generation_and_has_when_all_are_in_it() -> None:
    install = _settle(_half(), _half(), _half())
    assert install.past.begun == {**_half().past.begun, VID: [7, 7, 7]}
    state = ReplicaState(1, 7, 3)
    state.promise(VID)
    assert state.past.stood == {0: {7: VID}}
    state.install(install)
    assert state.past == install.past
    state.confirmed()
    assert state.past == Past({VID: [7, 7, 7]})
    state.promise(VID + 64)
    state.confirmed()
    assert state.past == Past({VID: [7, 7, 7]}, {9: {7: VID + 64}}), "it is paused, and may be left out"


def test_a_higher_generation_is_later_than_any_view_of_a_minority() -> None:
    assert _settle(_vote(gen=1, last=640), _vote(gen=2, last=128)).full == [2]


def test_with_a_majority_the_generation_is_the_number_of_the_view() -> None:
    install = _settle(_vote(gen=4), _vote(gen=4))
    assert (install.gen, install.quorate) == (9, True)


@pytest.mark.parametrize("other", [_vote(full=False, gen=0, last=0, records=0), _vote(gen=3)])
def test_a_node_that_has_forgotten_or_missed_the_rest_makes_no_majority(other: Vote) -> None:
    install = _settle(_vote(gen=4), other)
    assert (install.gen, install.quorate) == (4, False)


def test_everybody_together_is_a_majority_whoever_has_the_data() -> None:
    empty = _vote(full=False, gen=0, last=0, records=0)
    assert _settle(empty, _vote(gen=4), empty).quorate


def test_without_a_majority_the_highest_generation_of_the_voters_is_kept() -> None:
    install = _settle(_vote(gen=3), _vote(_write(10, plain=True), gen=4), configured=5)
    assert (install.gen, install.quorate) == (4, False)
    assert [generation(Version(s.write.version)) for s in install.settled] == [4]


def test_half_of_the_nodes_are_no_majority() -> None:
    assert not _settle(_vote(), _vote(), configured=4).quorate
    assert ReplicaState(1, 1, 4).majority == 3


def test_on_a_cold_start_where_nobody_has_data_everybody_is_full() -> None:
    assert _settle(*[_vote(full=False, gen=0, last=0, records=0)] * 3).full == [1, 2, 3]


def test_on_a_cold_start_with_data_the_one_that_knows_most_is_the_start() -> None:
    few, many = _vote(full=False, records=3), _vote(full=False, records=9)
    assert _settle(few, many, few).full == [2]


def test_on_a_cold_start_the_latest_view_counts_more_than_the_number_of_records() -> None:
    assert _settle(_vote(full=False, records=900), _vote(full=False, records=1, last=128)).full == [2]


def test_on_a_cold_start_between_equals_the_lowest_is_the_start() -> None:
    assert _settle(*[_vote(full=False)] * 3).full == [1]


def test_the_purge_horizon_is_the_highest_of_those_that_are_full() -> None:
    install = _settle(
        _vote(horizon=make(1, 5)), _vote(horizon=make(1, 8)), _vote(horizon=make(9, 9), full=False)
    )
    assert install.horizon == make(1, 8)
