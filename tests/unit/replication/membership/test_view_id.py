"""A view's name: it tells number and proposer, no two nodes make the same one, and later ones are higher."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memrep.replication.membership.view_id import make_vid, number_of, proposer_of
from memrep.storage.version import NODE_MAX

VID = make_vid(9, 1)

names = st.tuples(st.integers(0, 1 << 40), st.integers(1, NODE_MAX))


def test_a_name_tells_its_number_and_its_proposer_and_later_numbers_are_higher() -> None:
    assert (number_of(VID), proposer_of(VID)) == (9, 1)
    assert make_vid(9, 63) < make_vid(10, 1)
    assert make_vid(9, 1) < make_vid(9, 2)


@given(names)
def test_what_a_name_was_made_of_can_be_read_from_it(name: tuple[int, int]) -> None:
    vid = make_vid(*name)
    assert (number_of(vid), proposer_of(vid)) == name


@given(names, names)
def test_names_are_ordered_by_number_then_proposer_and_differ_where_one_of_these_does(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    assert (make_vid(*one) < make_vid(*other)) == (one < other)
    assert (make_vid(*one) == make_vid(*other)) == (one == other)


def test_that_of_no_view_is_below_the_first_ones_and_nobodys() -> None:
    assert (number_of(0), proposer_of(0)) == (0, 0)
    assert make_vid(1, 1) > make_vid(0, NODE_MAX) > 0
