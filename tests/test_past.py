"""The past (rule N6): what is known of generations is joined, and bounded. What it decides: test_view.py."""

from __future__ import annotations

from memrep.replication.message import Past
from memrep.replication.past import REMEMBERED, generation, inherited, voted
from memrep.replication.vid import make_vid


def test_of_each_process_and_generation_the_last_vote_is_remembered() -> None:
    past = voted(voted(voted(Past(), 7, 1, 64), 7, 1, 128), 7, 2, 192)
    assert past.stood == {1: {7: 128}, 2: {7: 192}}
    older = Past({}, {1: {7: 100, 8: 64}})
    assert inherited([], [past, older]) == inherited([], [older, past])
    assert inherited([], [older, past]).stood == {1: {7: 128, 8: 64}, 2: {7: 192}}


def test_of_several_views_that_never_began_anything_the_generation_before_all_of_them_counts() -> None:
    views = {make_vid(n, 1): [n] for n in (1, 2, 3)}
    stood = Past({}, {1: {2: make_vid(4, 1), 3: make_vid(4, 1)}})
    assert generation(Past(views), [stood]) == 1
    assert generation(Past(views), []) == 3
    assert generation(Past(), [stood]) == 0


def test_the_latest_is_remembered_where_processes_come_and_go() -> None:
    past = Past({make_vid(n, 1): [n] for n in range(1, 200)})
    for n in range(1, 200):
        past = voted(past, n, 1, make_vid(n, 1))
        past = voted(past, 1, n, make_vid(n, 1))
    past = inherited([past], [past])
    assert sorted(past.begun) == [make_vid(n, 1) for n in range(200 - REMEMBERED, 200)]
    assert sorted(past.stood) == list(range(200 - REMEMBERED, 200))
    crowd = inherited([], [Past({}, {1: {n: n for n in range(1, 200)}})])
    assert sorted(crowd.stood[1]) == list(range(200 - REMEMBERED, 200))
