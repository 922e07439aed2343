"""The past (rule N6): what is known of generations is joined, and bounded. What it decides: test_settlement."""

from __future__ import annotations

from memrep.replication.membership.history import (
    ANSWERED,
    NOTHING,
    REMEMBERED,
    TOLD_HERE,
    WRITTEN,
    Rank,
    activity_of,
    happened,
    inherited,
    parts,
    rank,
    voted,
)
from memrep.replication.membership.view_id import make_vid
from memrep.replication.message import Past


def test_of_each_process_and_generation_the_last_vote_is_remembered() -> None:
    past = voted(voted(voted(Past(), 7, 1, 64), 7, 1, 128), 7, 2, 192)
    assert past.stood == {1: {7: 128}, 2: {7: 192}}
    older = Past({}, {1: {7: 100, 8: 64}})
    assert inherited([Past()], [past, older]) == inherited([Past()], [older, past])
    assert inherited([Past()], [older, past]).stood == {1: {7: 128, 8: 64}, 2: {7: 192}}


def test_of_several_views_that_never_began_anything_the_generation_before_all_of_them_counts() -> None:
    views = {make_vid(n, 1): [n] for n in (1, 2, 3)}
    stood = Past({}, {1: {2: make_vid(4, 1), 3: make_vid(4, 1)}})
    assert rank(Past(views), [stood]).generation == 1
    assert rank(Past(views), []).generation == 3
    assert rank(Past(), [stood]).generation == 0


def test_what_was_done_before_sides_parted_counts_for_none_of_them_nor_does_who_brings_it() -> None:
    busy = happened(Past({64: [7]}), WRITTEN)
    assert rank(busy, []) == Rank(1, parted=False, activity=WRITTEN)
    side = parts(busy, 128)
    assert rank(side, []) == Rank(1, parted=True, activity=NOTHING)
    assert inherited([side], [side, busy]) == side == parts(side, 192)
    assert rank(happened(side, TOLD_HERE), []).activity == TOLD_HERE
    other = happened(side, ANSWERED)
    assert activity_of(inherited([side], [side, busy, other])) == ANSWERED
    assert activity_of(inherited([busy], [busy, other])) == WRITTEN


def test_the_latest_is_remembered_where_processes_come_and_go() -> None:
    past = Past({make_vid(n, 1): [n] for n in range(1, 200)})
    for n in range(1, 200):
        past = voted(past, n, 1, make_vid(n, 1))
        past = voted(past, 1, n, make_vid(n, 1))
    past = inherited([past], [past])
    assert sorted(past.begun) == [make_vid(n, 1) for n in range(200 - REMEMBERED, 200)]
    assert sorted(past.stood) == list(range(200 - REMEMBERED, 200))
    crowd = inherited([Past()], [Past({}, {1: {n: n for n in range(1, 200)}})])
    assert sorted(crowd.stood[1]) == list(range(200 - REMEMBERED, 200))
